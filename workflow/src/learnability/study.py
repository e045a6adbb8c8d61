"""What a study consists of, read from its configuration: recipes, cells, and which part of an entry is science."""

from pathlib import Path

from .contracts import SCORES, InputError, digest, read_json

RECIPE_KEYS = {
    "model", "model_options", "init", "loss", "max_margin", "scale", "drw", "lr", "weight_decay", "batch_size",
    "epochs", "patience", "augment", "rotate_degrees", "mask", "latent_std",
}  # fmt: skip
BACKBONE = "vgg16"  # the `pretrained` entry whose features LPIPS compares
# Facts of the machine or of the presentation: changing them changes no result, so they rerun nothing.
NOT_SCIENCE = {"root", "label", "max_bad_images", "licence", "gated", "access"}


def resolve_recipe(config: dict, name: str) -> dict:
    """Return a recipe with what it inherits from its `base`; every training key must be there in the end."""
    recipes, seen = config["recipes"], []
    resolved: dict = {}
    while name is not None:
        if name not in recipes or name in seen:
            raise InputError(f"recipes.{name}: {'its bases form a circle' if name in seen else 'not defined'}")
        seen.append(name)
        resolved = recipes[name] | resolved
        name = recipes[name].get("base")
    missing = RECIPE_KEYS - resolved.keys()
    if missing:
        raise InputError(f"recipes.{seen[0]}: missing {sorted(missing)}; write them, or name a `base` that has them")
    return {key: resolved[key] for key in sorted(RECIPE_KEYS)}


def resolve_autoencoder(config: dict, name: str) -> dict:
    """Return an autoencoder entry; a fine-tuned one takes class and layout from its `base`."""
    entries = config["autoencoders"]
    if name not in entries:
        raise InputError(f"autoencoders.{name}: not defined; known are {sorted(entries)}")
    base = entries[name].get("base")
    if base is None:
        return entries[name]
    if base not in entries or "base" in entries[base]:
        raise InputError(f"autoencoders.{name}.base is {base!r}; name an autoencoder that has its own weights")
    if entries[base].get("latent_stage", 1) != 1:
        raise InputError(f"autoencoders.{name}.base is {base!r}, which has latent_stage 2; only stage 1 is fine-tuned")
    return entries[base] | entries[name]


def decodes(config: dict, name: str) -> bool:
    """Whether an autoencoder has a decoder; without one there is a latent space and nothing else."""
    return resolve_autoencoder(config, name).get("decodes", True)


def science(entry: dict) -> dict:
    """The part of a dataset or autoencoder entry that results depend on; folders of data and weights are not."""
    kept = {key: value for key, value in entry.items() if key not in NOT_SCIENCE}
    if is_folder(kept.get("source", "")):
        del kept["source"]
    return kept


def pretrained_weights(config: dict, recipe: dict) -> dict | None:
    """The `pretrained` entry that a resolved recipe starts from, or None for a random start."""
    if recipe["init"] == "random":
        return None
    if recipe["model"] not in config["pretrained"]:
        raise InputError(f"pretrained.{recipe['model']}: missing; name its weights there, or set `init: random`")
    return config["pretrained"][recipe["model"]]


def is_folder(source: str) -> bool:
    """Whether a source of weights is a folder of this machine; else it is a hub id, owner/name."""
    return source.startswith((".", "/", "~", "$")) or source.count("/") > 1


def cells(config: dict, table: str = "table1") -> list[dict]:
    """Every run of a table: dataset, space, autoencoder, recipe, fold. Image space has no autoencoder."""
    study = config["study"]
    found = []
    for dataset in study["datasets"]:
        for autoencoder, space, recipe in columns(config, table):
            for fold in study["folds"]:
                found.append(
                    {"dataset": dataset, "autoencoder": autoencoder, "space": space, "recipe": recipe, "fold": fold}
                )
    return found


def columns(config: dict, table: str) -> list[tuple[str, str, str]]:
    """Every (autoencoder, space, recipe) of a table, in the order of its rows: image first, then LS and RS."""
    study, found = config["study"], []
    for autoencoder in ["original", *study["autoencoders"]]:
        for recipe in study["recipes"][table]:
            for space in config["recipes"][recipe]["spaces"]:
                if space not in study["spaces"] or (space == "image") != (autoencoder == "original"):
                    continue
                if space != "reconstruction" or decodes(config, autoencoder):
                    found.append((autoencoder, space, recipe))
    order = {"image": 0, "latent": 1, "reconstruction": 2}
    return sorted(found, key=lambda row: (["original", *study["autoencoders"]].index(row[0]), order[row[1]]))


def check_study(config: dict) -> None:
    """Refuse a study that names what is not defined, or whose numbers cannot work; each message names the key."""
    study = config["study"]
    for key in ("datasets", "autoencoders"):
        unknown = [name for name in study[key] if name not in config[key]]
        if unknown:
            raise InputError(f"study.{key}: {unknown} not defined under {key}; known are {sorted(config[key])}")
    if study["n_splits"] < 3:
        raise InputError(f"study.n_splits is {study['n_splits']}; at least 3: train, validation and test")
    outside = [fold for fold in study["folds"] if fold not in range(study["n_splits"])]
    if outside:
        raise InputError(f"study.folds: {outside} outside 0..{study['n_splits'] - 1} (folds count from 0)")
    if config["image_size"] % config["classifier_size"]:
        raise InputError("image_size must be a multiple of classifier_size, so that area averaging is exact")
    for table, names in study["recipes"].items():
        for name in names:
            pretrained_weights(config, resolve_recipe(config, name))
            if "spaces" not in config["recipes"][name]:
                raise InputError(f"recipes.{name}.spaces: missing; say in which spaces {table} uses it")
    lpips = [name for name, entry in config["autoencoders"].items() if uses_lpips(entry)]
    if lpips and BACKBONE not in config["pretrained"]:
        raise InputError(f"pretrained.{BACKBONE}: missing; {lpips[0]}.finetune.perceptual compares its features")
    for name in study["autoencoders"]:
        factor = resolve_autoencoder(config, name)["factor"]
        if config["image_size"] % factor:
            raise InputError(
                f"image_size {config['image_size']} is not a multiple of autoencoders.{name}.factor, {factor}"
            )


def uses_lpips(entry: dict) -> bool:
    """Whether an autoencoder's entry is fine-tuned with a perceptual term."""
    return (entry.get("finetune") or {}).get("perceptual") == "lpips"


def tuned_per_fold(config: dict, autoencoder: str) -> bool:
    """Whether an autoencoder is fine-tuned anew for each fold, on its training rows; else it serves all folds."""
    finetune = config["autoencoders"][autoencoder].get("finetune") or {}
    return finetune.get("images") == "train_rows_per_fold"


def fold_suffix(config: dict, autoencoder: str, fold: int) -> str:
    """What a run of `fold` adds to the name of an autoencoder's weights and encodings: "", or @fold{k}."""
    return f"@fold{fold}" if tuned_per_fold(config, autoencoder) else ""


def encodings(config: dict) -> list[str]:
    """{dataset}/{autoencoder}, or {dataset}/{autoencoder}@fold{k}, of every encoding that has reconstructions."""
    study = config["study"]
    names = [
        f"{dataset}/{autoencoder}{fold_suffix(config, autoencoder, fold)}"
        for dataset in study["datasets"]
        for autoencoder in study["autoencoders"]
        for fold in study["folds"]
        if decodes(config, autoencoder)
    ]
    return list(dict.fromkeys(names))


def finetuning_notes(config: dict) -> list[str]:
    """One footnote per way in which the study's fine-tuned autoencoders saw images, with their labels."""
    tuned: dict[str, list[str]] = {}
    for name in config["study"]["autoencoders"]:
        entry = config["autoencoders"][name]
        if "finetune" in entry:
            images = "train_rows_per_fold" if tuned_per_fold(config, name) else "all_images"
            tuned.setdefault(images, []).append(entry["label"])
    return [f"{', '.join(names)}: {config['tables']['finetuning_note'][images]}" for images, names in tuned.items()]


def content(config: dict) -> dict:
    """The lists that make a study, with their digest: the content of study.json."""
    study = config["study"]
    lists = {key: study[key] for key in ("datasets", "autoencoders", "spaces", "folds")}
    lists |= {"recipes": study["recipes"], "n_splits": study["n_splits"], "scores": SCORES}
    return {"digest": digest(lists), **lists}


def check_growth(config: dict, results: str) -> None:
    """Refuse a study that would drop rows from tables that exist; growing is fine."""
    path = Path(results) / "study.json"
    if not path.is_file() or not list(Path(results).glob("tables/*.csv")):
        return
    before, now = read_json(path), content(config)
    dropped = [
        f"{key} {value!r}"
        for key in ("datasets", "autoencoders", "spaces", "folds")
        for value in before[key]
        if value not in now[key]
    ]
    dropped += [
        f"recipe {recipe!r} of {table}"
        for table, recipes in before["recipes"].items()
        for recipe in recipes
        if recipe not in now["recipes"].get(table, [])
    ]
    if dropped:
        raise InputError(
            f"{path}: this study is smaller than the one whose tables exist there; without {', '.join(dropped)} "
            "rows would vanish from them. Ask for a part by target (train/<dataset>, any file), or give this study "
            f"its own folder with `--config results=...`, or remove {Path(results) / 'tables'} on purpose"
        )


def finetuned_pairs(config: dict) -> list[tuple[str, str]]:
    """(fine-tuned, base) for every fine-tuned autoencoder of the study whose base is in it too."""
    names = config["study"]["autoencoders"]
    pairs = [(name, config["autoencoders"][name].get("base")) for name in names]
    return [(name, base) for name, base in pairs if base in names]
