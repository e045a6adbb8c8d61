"""What the planned jobs need but cannot find, checked in seconds before the first job runs, without a GPU."""

import re
from pathlib import Path

from ..autoencoders.families.architectures import shapes_of_blocks
from ..autoencoders.families.own_class import find_module, is_in_diffusers
from ..autoencoders.families.weights import missing_weights, wrong_layout
from ..autoencoders.finetuning.demands import TUNABLE, too_small
from ..autoencoders.finetuning.lpips_heads import missing_heads
from ..classifiers.weights import pretrained_file, trained_moments
from ..errors import InputError
from ..registry import class_of
from ..study.array_sizes import row_shape
from ..study.cells import resolve_autoencoder
from ..study.encodings import BACKBONE, uses_lpips
from ..study.grid import misfit
from ..study.paths import fetched_file, space_of_job
from ..study.recipe import Recipe
from ..study.recipes import pretrained_weights, resolve_recipe
from ..study.sources import is_folder
from ..workflow.hub import weights_to_fetch, why_missing
from ..workflow.identity import changed_weights, edited_weights
from ..workflow.job_work import ENCODING_RULES
from .missing_data import check_dataset

READ_ENCODINGS = (
    "train_classifier", "train_with_decoder", "search_recipe", "assist_search", "compute_teacher_logits",
    "diagnose_encoding", "score_across_spaces",
)  # fmt: skip
WITH_AUTOENCODER = (*ENCODING_RULES, "train_with_decoder", "diagnose_encoding")  # whose weights they read


def check_python(executable: str) -> list[str]:
    """Refuse a Python path with special characters: Snakemake does not quote it when it starts scripts by a shell."""
    if wrong := re.search(r"[\s'\"\\$&();<>|*?`#!\[\]{}]", executable):
        return [
            f"the path of Python, {executable}, holds {wrong[0]!r}, and Snakemake cannot start jobs by such a path; "
            "make the environment in another folder: the study itself may stay where it is"
        ]
    return []


def missing_inputs(config: dict, planned: list[tuple[str, dict]]) -> list[str]:
    """A message for each thing that is missing or does not fit; `planned` holds (rule, wildcards) of every job."""
    checks = {
        "prepare_dataset": check_dataset,
        "fetch_weights": check_hub,
        "finetune_autoencoder": check_finetuning,
        **dict.fromkeys(ENCODING_RULES, check_encoding),
        "diagnose_encoding": check_diagnosis,
        "train_classifier": check_training,
        "train_with_decoder": check_training,
        "search_recipe": check_training,
    }
    messages: dict[str, None] = {}  # in order, each once
    for rule, wildcards in planned:
        if rule in checks:
            messages.update(dict.fromkeys(checks[rule](config, wildcards)))
    encoded = {(w["dataset"], w["autoencoder"]) for rule, w in planned if rule in ("encode_dataset", "encode_latents")}
    read = {(w["dataset"], w["autoencoder"]) for rule, w in planned if rule in READ_ENCODINGS}
    for dataset, autoencoder in sorted(read - encoded):  # no job makes these, whatever the rerun triggers are
        if message := changed_weights(config, dataset, autoencoder):
            messages[message] = None
    brought = {wildcards["name"] for rule, wildcards in planned if rule == "fetch_weights"}
    there = {name for job in planned for name in weights_read(config, *job)} & set(weights_to_fetch(config)) - brought
    return [*messages, *(message for name in sorted(there) if (message := edited_weights(config, name)))]


def weights_read(config: dict, rule: str, wildcards: dict) -> set[str]:
    """Names of the autoencoders and starting weights that a job reads."""
    if rule == "finetune_autoencoder":
        entry = config["autoencoders"][wildcards["autoencoder"]]
        return {entry["base"], *([BACKBONE] if uses_lpips(entry) else [])}
    names = {wildcards["autoencoder"]} if rule in WITH_AUTOENCODER else set()
    if rule == "diagnose_encoding" and (teacher := config["study"]["diagnostics"]["teacher"]):
        names |= {teacher}
    if rule in ("train_classifier", "train_with_decoder", "search_recipe"):
        recipe = resolve_recipe(config, wildcards["recipe"])
        names |= {recipe.model} if pretrained_weights(config, recipe) else set()
    return names


def check_hub(config: dict, wildcards: dict) -> list[str]:
    """Check that the files can be fetched, or are in the hub's cache on this machine."""
    name = wildcards["name"]
    request = weights_to_fetch(config)[name]
    message = why_missing(request["repository"], tuple(request["files"]), request["revision"])
    section = "autoencoders" if name in config["autoencoders"] else "pretrained"
    return [f"{section}.{name}: {message}"] if message else []


def check_weights(config: dict, wildcards: dict) -> list[str]:
    """Check that weights in the user's folder exist and that an own class can be imported."""
    name = wildcards["autoencoder"]
    entry = resolve_autoencoder(config, name)
    try:
        if ":" in entry["class"]:
            find_module(entry["class"])
        elif class_of(entry) == "diffusers" and not is_in_diffusers(entry["class"]):
            raise InputError(f"class {entry['class']}: diffusers has none of this name; your own is module:Class")
        message = missing_weights(entry) if is_folder(entry.get("source", "")) else wrong_layout(entry)
    except InputError as error:
        message = str(error)
    return [f"autoencoders.{entry.get('base', name)}: {message}"] if message else []


def check_finetuning(config: dict, wildcards: dict) -> list[str]:
    """Check that the base and its weights can be fine-tuned, and that the perceptual loss has its weights."""
    name, found = wildcards["autoencoder"], check_weights(config, wildcards)
    entry = resolve_autoencoder(config, name)
    if entry["class"] not in TUNABLE:
        found.append(f"autoencoders.{name}.base: {entry['class']} cannot be fine-tuned; take a base of {TUNABLE}")
    if small := too_small(entry, config["image_size"]):
        found.append(f"autoencoders.{name}.finetune.{small[0]}: {small[1]}")
    if entry["finetune"]["perceptual"] == "lpips":
        if message := missing_heads():
            found.append(f"autoencoders.{name}.finetune.perceptual: {message}")
        found += check_pretrained(config, BACKBONE)
    return found


def check_encoding(config: dict, wildcards: dict) -> list[str]:
    """As check_weights, except that weights that the workflow fine-tunes are an input of the job; the base is not."""
    entry = config["autoencoders"][wildcards["autoencoder"]]
    return [] if "finetune" in entry else check_weights(config, wildcards)


def check_diagnosis(config: dict, wildcards: dict) -> list[str]:
    """As check_encoding, and the weights of the teacher can be had."""
    teacher = config["study"]["diagnostics"]["teacher"]
    return check_encoding(config, wildcards) + (check_pretrained(config, teacher, "image") if teacher else [])


def check_training(config: dict, wildcards: dict) -> list[str]:
    """Check that the network fits the grid of its space and that its starting weights are available."""
    name, autoencoder = wildcards["recipe"], wildcards["autoencoder"]
    space = space_of_job(wildcards)
    recipe, found = resolve_recipe(config, name, space), []
    try:
        shape = seen_shape(config, space, autoencoder, name)
    except InputError as error:
        return [str(error)]
    if shape and (message := misfit(recipe.model, recipe.stem_patch, recipe.model_options, shape[1])):
        found.append(f"recipes.{name}{behind(recipe)} on {autoencoder}: {message}")
    return found + (check_pretrained(config, recipe.model, space) if pretrained_weights(config, recipe) else [])


def behind(recipe: Recipe) -> str:
    """Words for the blocks that stand in front of a classifier; "" without any."""
    return f" behind {recipe.decoder_blocks}" if recipe.decoder_blocks else ""


def seen_shape(config: dict, space: str, autoencoder: str, recipe: str) -> tuple[int, int, int] | None:
    """(C, H, W) of what the network of a recipe sees; None where the decoder in front of it is not known yet.

    Raises InputError for a block that the decoder has not.
    """
    blocks = resolve_recipe(config, recipe).decoder_blocks
    if not blocks:
        return row_shape(config, space, autoencoder)
    entry = resolve_autoencoder(config, autoencoder)
    fetched = Path(config["results"], fetched_file(config["autoencoders"][autoencoder].get("base", autoencoder)))
    if not is_folder(entry["source"]) and fetched.is_file():
        entry = entry | {"folder": str(fetched.parent)}
    shapes = shapes_of_blocks(entry, config["image_size"])
    if shapes is None:
        return None
    if blocks not in shapes:
        raise InputError(
            f"recipes.{recipe}.decoder_blocks is {blocks!r}; the decoder of {autoencoder} has {', '.join(shapes)}"
        )
    channels, *sides = shapes[blocks]
    return channels, *(min(side, config["classifier_size"]) for side in sides)


def check_pretrained(config: dict, model: str, space: str = "latent") -> list[str]:
    """Check that starting weights in the user's folder exist; a separate job fetches those of the hub.

    Outside latent space, the normalisation of their images must be known too.
    """
    try:
        if is_folder(config["pretrained"][model]["source"]):
            file = pretrained_file(config["pretrained"][model])
            if space != "latent":
                trained_moments(file, model)
    except InputError as error:
        return [f"pretrained.{model}: {error}"]
    return []
