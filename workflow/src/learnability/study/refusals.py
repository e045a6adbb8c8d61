"""Studies that cannot run, by their configuration alone: asked by `check`, by `plan` and before any job."""

from ..errors import InputError
from . import controls
from .cells import (
    ALL_SPACES,
    columns,
    controls_of_curve,
    decodes,
    efficiency,
    has_blocks,
    recipes_of_gaps,
    resolve_autoencoder,
    shares_of_curve,
)
from .encodings import BACKBONE, uses_lpips
from .names import check_names
from .recipe import KEYS, WITH_BLOCKS
from .recipes import built_on, check_recipe, resolve_recipe, spaces_of
from .remedies import check_remedies
from .replicates import check_seeds
from .sources import is_folder


def check_study(config: dict) -> None:
    """Refuse a study that names undefined entries, or whose numbers cannot work; each message names the key."""
    check_names(config)
    check_lists(config)
    for name in {name: None for names in config["study"]["recipes"].values() for name in names}:
        check_recipe(config, name)
    controls.check_controls(config)
    check_table1(config)
    check_teachers(config)
    check_decoders(config)
    check_across(config)
    if columns(config, "gap_decomposition"):
        check_gaps(config)
    check_remedies(config)
    check_bits(config)
    if part := efficiency(config):
        check_efficiency(config, part)
    lpips = [name for name, entry in config["autoencoders"].items() if uses_lpips(entry)]
    if lpips and BACKBONE not in config["pretrained"]:
        raise InputError(f"pretrained.{BACKBONE}: missing; {lpips[0]}.finetune.perceptual compares its features")
    check_diagnostics(config)
    check_own_folders(config)
    check_equivariance(config)
    check_factors(config)


def check_lists(config: dict) -> None:
    """Refuse names that are not defined, and folds and sizes that do not fit each other."""
    study = config["study"]
    for key in ("datasets", "autoencoders"):
        check_defined(config, f"study.{key}", study[key], key)
    for table, names in study["recipes"].items():
        check_defined(config, f"study.recipes.{table}", names, "recipes")
    if study["n_splits"] < 3:
        raise InputError(f"study.n_splits is {study['n_splits']}; at least 3: train, validation and test")
    outside = [fold for fold in study["folds"] if fold not in range(study["n_splits"])]
    if outside:
        raise InputError(f"study.folds: {outside} outside 0..{study['n_splits'] - 1} (folds count from 0)")
    size, small = config["image_size"], config["classifier_size"]
    if size % small:
        raise InputError(
            f"image_size {size} is not a multiple of classifier_size {small}, so area averaging would not be exact; "
            "change one of them"
        )
    for table, limits in study["limited_to"].items():
        for kind, names in limits.items():
            check_defined(config, f"study.limited_to.{table}.{kind}", names, kind)


def check_defined(config: dict, key: str, names: list[str], kind: str) -> None:
    """Refuse names under `key` that have no entry under `kind`."""
    if unknown := [name for name in names if name not in config[kind]]:
        raise InputError(f"{key}: {unknown} not defined under {kind}; known are {sorted(config[kind])}")


def check_factors(config: dict) -> None:
    """Refuse an autoencoder whose grid does not divide the images."""
    for name in [*config["study"]["autoencoders"], *config["study"]["controls"]]:
        factor = resolve_autoencoder(config, name)["factor"]
        if config["image_size"] % factor:
            raise InputError(
                f"image_size {config['image_size']} is not a multiple of autoencoders.{name}.factor, {factor}"
            )


def check_table1(config: dict) -> None:
    """Refuse two recipes for one cell of Table 1, which prints one of each autoencoder and space."""
    seen: dict[tuple, str] = {}
    for autoencoder, space, recipe in columns(config, "table1"):
        other = seen.setdefault((autoencoder, space), recipe)
        if other != recipe:
            raise InputError(
                f"study.recipes.table1: {other} and {recipe} are both of {space} space, and Table 1 has one recipe of "
                "each; name the other under study.recipes.ablation_controls, or take `spaces` of a recipe apart"
            )


def check_teachers(config: dict) -> None:
    """Refuse a student whose teacher would see reconstructions of an autoencoder that makes none."""
    for table in config["study"]["recipes"]:
        for autoencoder, _, recipe in columns(config, table):
            for name in [recipe, *built_on(config, recipe)]:
                distill = resolve_recipe(config, name).distill
                if distill and distill.teacher.space == "reconstruction" and not decodes(config, autoencoder):
                    raise InputError(
                        f"recipes.{name}.distill.teacher is of reconstruction space, and {autoencoder} has no decoder; "
                        f"take {recipe} out of study.recipes.{table}, or {autoencoder} out of what it is limited to"
                    )


def check_decoders(config: dict) -> None:
    """Refuse a recipe behind a part of the decoder, on an autoencoder whose decoder has no such parts."""
    for table in config["study"]["recipes"]:
        for autoencoder, _, recipe in columns(config, table):
            if resolve_recipe(config, recipe).decoder_blocks and not has_blocks(config, autoencoder):
                raise InputError(
                    f"recipes.{recipe}.decoder_blocks: the decoder of {autoencoder} has no known blocks; "
                    f"{', '.join(WITH_BLOCKS)} have them, with a decoder. Take {recipe} out of study.recipes.{table}, "
                    f"or limit study.limited_to.{table}.autoencoders"
                )


def spaces_used(config: dict, name: str) -> set[str]:
    """The spaces of this study in which a recipe is used."""
    return {*spaces_of(config, name)} & {*config["study"]["spaces"]}


def check_across(config: dict) -> None:
    """Refuse scores across spaces of a recipe that is not used in both."""
    for name in config["study"]["recipes"].get("across_spaces", []):
        if missing := {"image", "reconstruction"} - spaces_used(config, name):
            raise InputError(
                f"study.recipes.across_spaces: {name} is not used in {sorted(missing)[0]} space of this study; "
                "expected a recipe whose `spaces` have image and reconstruction, and both among study.spaces"
            )


def check_own_folders(config: dict) -> None:
    """Refuse a class of the user's own whose source reads as a hub id: it reads its folder itself."""
    for name, entry in config["autoencoders"].items():
        source = entry.get("source")
        if source and ":" in entry.get("class", "") and not is_folder(source):
            raise InputError(
                f"autoencoders.{name}.source is {source!r}, which reads as a hub id; a class of your own has a folder: "
                f"begin it with ./ (./{source}), write it absolute, or leave it out"
            )


def check_equivariance(config: dict) -> None:
    """Refuse a fine-tuning towards equivariance to nothing, and scales in the wrong order."""
    for name, entry in config["autoencoders"].items():
        if not (wanted := entry.get("finetune", {}).get("equivariance")):
            continue
        key, scales = f"autoencoders.{name}.finetune.equivariance", wanted["scales"]
        if not scales and not wanted["turns"]:
            raise InputError(f"{key} has neither scales nor turns; write one of them, or equivariance: null")
        if scales and scales[0] > scales[1]:
            raise InputError(
                f"{key}.scales is {scales}; expected the smallest first, such as [{scales[1]}, {scales[0]}]"
            )


def check_gaps(config: dict) -> None:
    """Refuse a decomposition of the gap that lacks a side."""
    recipes = config["study"]["recipes"]
    names = recipes["gap_decomposition"]
    if fewer := [name for name in names if set(spaces_of(config, name)) != ALL_SPACES]:
        raise InputError(
            f"study.recipes.gap_decomposition is {names}; expected recipes of all three spaces, and {fewer[0]} is used "
            f"in {spaces_of(config, fewer[0])}"
        )
    check_seeds(config, "gap_decomposition")
    if None in recipes_of_gaps(config).values():
        raise InputError(
            f"study.recipes.table1 is {recipes['table1']}; the gap's decomposition needs its reconstruction and latent "
            "runs: add their recipes, or set study.recipes.gap_decomposition to []"
        )


def check_diagnostics(config: dict) -> None:
    """Refuse a teacher without weights, and names of which one's spectrum would be the other's table."""
    part = config["study"]["diagnostics"]
    if part and part["teacher"] and part["teacher"] not in config["pretrained"]:
        raise InputError(
            f"study.diagnostics.teacher is {part['teacher']!r}; expected null or a name under pretrained: "
            f"{sorted(config['pretrained'])}"
        )
    for name in config["autoencoders"]:
        if name.removesuffix("_spectrum") in {*config["autoencoders"]} - {name}:
            raise InputError(f"autoencoders.{name}: rename it; this is what the files of diagnostics call a spectrum")


def check_bits(config: dict) -> None:
    """Refuse probes without probabilities in bits, and a learning curve that changes more than its share."""
    for table in ("probes", "learning_curve"):
        for name in config["study"]["recipes"].get(table, []):
            if (loss := resolve_recipe(config, name).loss) != "cross_entropy":
                raise InputError(
                    f"recipes.{name}.loss is {loss}, and study.recipes.{table} compares bits: set it to cross_entropy"
                )
    shares = shares_of_curve(config)
    if not shares:
        return
    whole = [name for name, share in shares.items() if share == 1]
    if len(whole) != 1 or len(set(shares.values())) < len(shares):
        raise InputError(
            f"study.recipes.learning_curve has train_share {shares}; expected each share once, and one recipe of 1"
        )
    expected = sorted(spaces_used(config, whole[0]))
    for name in shares:
        if (used := sorted(spaces_used(config, name))) != expected:
            raise InputError(
                f"recipes.{name}.spaces: used in {used}, {whole[0]} in {expected}; recipes of "
                "study.recipes.learning_curve have the same spaces"
            )
        recipe = resolve_recipe(config, name)
        for key in ("distill", "start_from"):
            if getattr(recipe, key):
                raise InputError(
                    f"recipes.{name}.{key}: a teacher or a start has seen all rows, and study.recipes.learning_curve "
                    f"trains on shares; write `{key}: null`"
                )
        if unlike := recipe.unlike(resolve_recipe(config, whole[0]), set(KEYS) - {"train_share"}):
            raise InputError(
                f"recipes.{name}.{sorted(unlike)[0]}: differs from {whole[0]}; recipes of study.recipes.learning_curve "
                "differ in train_share alone"
            )
    controls_of_curve(config)  # refuses two on one grid


def check_efficiency(config: dict, part: dict) -> None:
    """Refuse a Table 3 whose names are not defined, or whose rows are not all under one budget."""
    if part["dataset"] not in config["datasets"]:
        raise InputError(f"study.efficiency.dataset: {part['dataset']!r} is not defined under datasets")
    if part["fold"] not in range(config["study"]["n_splits"]):
        raise InputError(f"study.efficiency.fold: {part['fold']} outside 0..{config['study']['n_splits'] - 1}")
    for name in part["rows"].values():
        check_recipe(config, name)
        if resolve_recipe(config, name).decoder_blocks:
            raise InputError(f"study.efficiency.rows: {name} has decoder_blocks, whose speed Table 3 does not measure")
    budgets = {name: resolve_recipe(config, name).budget_seconds for name in part["rows"].values()}
    if None in budgets.values() or len(set(budgets.values())) > 1:
        raise InputError(
            f"study.efficiency.rows: Table 3 compares at one budget; recipes' budget_seconds are {budgets}"
        )
