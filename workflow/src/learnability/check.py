"""What the planned jobs need and do not find: asked before the first of them runs, in seconds, without a GPU."""

from .autoencoders.weights import missing_weights
from .classifiers.grid import misfit
from .classifiers.weights import missing_imagenet_weights
from .contracts import InputError
from .datasets import check_source
from .study import resolve_autoencoder, resolve_recipe


def missing_inputs(config: dict, planned: list[tuple[str, dict]]) -> list[str]:
    """One message for each thing that is missing or does not fit; `planned` holds (rule, wildcards) of every job."""
    checks = {"prepare_dataset": check_dataset, "finetune_autoencoder": check_weights, "encode_dataset": check_encoding}
    checks["train_classifier"] = check_training
    messages: dict[str, None] = {}  # in order, each once
    for rule, wildcards in planned:
        if rule in checks:
            messages.update(dict.fromkeys(checks[rule](config, wildcards)))
    return list(messages)


def check_dataset(config: dict, wildcards: dict) -> list[str]:
    """The dataset's folder and tables are there, with the columns and labels that they should have, and images."""
    name = wildcards["dataset"]
    try:
        check_source(config["datasets"][name])
    except (InputError, ValueError) as error:  # a phantom's entry is refused with a ValueError
        return [f"datasets.{name}: {error}"]
    return []


def check_weights(config: dict, wildcards: dict) -> list[str]:
    """The weights are in a folder, in the cache, or can be fetched."""
    name = wildcards["autoencoder"]
    entry = resolve_autoencoder(config, name)
    message = missing_weights(entry) if entry.get("source") else None
    return [f"autoencoders.{entry.get('base', name)}: {message}"] if message else []


def check_encoding(config: dict, wildcards: dict) -> list[str]:
    """As check_weights, but weights that the workflow fine-tunes are an input of the job, and the base is not."""
    entry = config["autoencoders"][wildcards["autoencoder"]]
    return [] if "finetune" in entry else check_weights(config, wildcards)


def check_training(config: dict, wildcards: dict) -> list[str]:
    """The network fits the grid of its space, and its starting weights can be had."""
    recipe, found = resolve_recipe(config, wildcards["recipe"]), []
    side = config["classifier_size"]
    if wildcards["space"] == "latent":
        side = config["image_size"] // resolve_autoencoder(config, wildcards["autoencoder"])["factor"]
    if message := misfit(recipe["model"], recipe["model_options"], side):
        found.append(f"recipes.{wildcards['recipe']} on {wildcards['autoencoder']}: {message}")
    if recipe["init"] == "imagenet" and (message := missing_imagenet_weights(recipe["model"])):
        found.append(f"recipes.{wildcards['recipe']}.init: {message}")
    return found
