"""What tables and pages show beside their numbers: labels for identifiers, marks, footnotes, from the configuration."""

from ..storage.contracts import digest
from .cells import columns, efficiency, recipes_of_gaps, resolve_autoencoder, rows_of_table4, scope
from .encodings import diagnosed, tuned_per_fold
from .entries import recorded
from .recipe import CONFOUNDS
from .recipes import resolve_recipe
from .sources import is_folder
from .truths import REMEDIES
from .words import counted

ENTRIES = ("datasets", "autoencoders", "pretrained")
SEARCHED = {
    "fold": "in each fold and space on training and validation rows",
    "fold0": "in each space on fold 0, whose validation rows are test rows of another fold",
}


def labels(config: dict, table: str = "table1") -> dict[str, dict[str, str]]:
    """Labels of datasets, autoencoders and rows, in the study's order; a recipe without one is shown by its name."""
    names = {kind: [*config["study"][kind]] for kind in ("datasets", "autoencoders")}
    if (part := efficiency(config)) and part["dataset"] not in names["datasets"]:
        names["datasets"].append(part["dataset"])
    shown = {kind: {name: config[kind][name]["label"] for name in names[kind]} for kind in names}
    given = config["tables"][table].get("labels")
    if given is None:
        return shown
    own = {recipe: recipe.replace("_", " ") for recipe in config["study"]["recipes"].get(table, [])}
    return shown | {"rows": given | {name: label for name, label in own.items() if name not in given}}


def all_labels(config: dict) -> dict[str, dict[str, str]]:
    """Labels of every dataset and autoencoder that is configured, in the study or not."""
    return {
        kind: {name: entry["label"] for name, entry in config[kind].items()} for kind in ("datasets", "autoencoders")
    }


def labels_with_controls(config: dict) -> dict[str, dict[str, str]]:
    """Those of Table 1, and after them those of the controls that are not in it."""
    return _with_further(config, config["study"]["controls"])


def labels_of_diagnosed(config: dict) -> dict[str, dict[str, str]]:
    """Those of Table 1, and after them those of the other autoencoders whose latents are diagnosed."""
    return _with_further(config, [encoding.partition("/")[2].partition("@")[0] for encoding in diagnosed(config)])


def labels_of_remedies(config: dict) -> dict[str, dict[str, str]]:
    """Those of Table 1, and after them those of the lossless controls that remedies are tried on."""
    return _with_further(config, [name for name, space, _ in columns(config, REMEDIES) if space == "latent"])


def _with_further(config: dict, autoencoders: list[str]) -> dict[str, dict[str, str]]:
    found = labels(config)
    further = {name: config["autoencoders"][name]["label"] for name in autoencoders}
    return found | {"autoencoders": found["autoencoders"] | further}


def not_shareable(config: dict) -> list[str]:
    """Labels of the study's datasets whose images must not be passed on: no phantoms, and not `shareable`."""
    entries = [config["datasets"][name] for name in config["study"]["datasets"]]
    return [entry["label"] for entry in entries if entry["format"] != "phantom" and not entry["shareable"]]


def footnotes(config: dict, table: str) -> list[str]:
    """The configured footnotes of a table, and how the fine-tuned autoencoders that it shows saw images."""
    shown = scope(config, table)["autoencoders"]
    if table == "table3":
        shown = [part["autoencoder"]] if (part := efficiency(config)) else []
    return config["tables"][table]["footnotes"] + search_notes(config, table) + finetuning_notes(config, shown)


def search_notes(config: dict, table: str) -> list[str]:
    """One footnote per searched recipe of a table: what was searched, and in how many trials.

    Rows of Table 4 are marked, with the scope of their search; elsewhere the note has it.
    """
    if table == "table4":
        rows = {row: recipe for row, (_, recipe) in rows_of_table4(config).items()}
    else:
        rows = {recipe: recipe for *_, recipe in columns(config, table)}
    notes = []
    for row, recipe in rows.items():
        if search := resolve_recipe(config, recipe).search:
            space = "; ".join(f"{key} {in_words(values)}" for key, values in search.space.items())
            label = config["tables"][table].get("labels", {}).get(row, row.replace("_", " "))
            label = f"⋆ {label}" if table == "table4" else f"{label}, searched {SEARCHED[search.scope]}"
            notes.append(f"{label}: {counted(search.trials, 'trial')}, {space}; the values found are in searches/.")
    return notes


def in_words(values: dict) -> str:
    """A searched range or its choices."""
    if "choices" in values:
        shown = [f"{value:g}" if isinstance(value, float) else str(value) for value in values["choices"]]
        return " or ".join(shown)
    return f"from {values['low']:g} to {values['high']:g}" + (" (logarithmic)" if values.get("log") else "")


def finetuning_notes(config: dict, autoencoders: list[str]) -> list[str]:
    """One footnote per way in which the fine-tuned ones among `autoencoders` saw images, with their labels."""
    tuned: dict[str, list[str]] = {}
    for name in autoencoders:
        entry = config["autoencoders"][name]
        if "finetune" in entry:
            images = "train_rows_per_fold" if tuned_per_fold(config, name) else "all_images"
            tuned.setdefault(images, []).append(entry["label"])
    return [f"{', '.join(names)}: {config['tables']['finetuning_note'][images]}" for images, names in tuned.items()]


def searched_rows(config: dict) -> dict[str, str]:
    """The scope of the search behind each row of Table 4 that has one, and of those that start from its weights."""
    scopes = {}
    for row, (_, recipe) in rows_of_table4(config).items():
        while recipe:
            resolved = resolve_recipe(config, recipe)
            if resolved.search:
                scopes[row] = resolved.search.scope
            recipe = resolved.start_from
    return scopes


def confounds(config: dict) -> list[str]:
    """What the classifiers on both sides of Table 1's gap differ in, by their resolved recipes and their grids."""
    names = recipes_of_gaps(config)
    if None in (names["image"], names["latent"]):
        return []
    pixels = resolve_recipe(config, names["image"], "reconstruction")
    latent = resolve_recipe(config, names["latent"], "latent")
    found = [part for part, keys in CONFOUNDS.items() if pixels.unlike(latent, keys)]
    factors = {resolve_autoencoder(config, name)["factor"] for name in config["study"]["autoencoders"]}
    if any(config["image_size"] // factor != config["classifier_size"] for factor in factors):
        found.insert("network" in found, "grid")
    return found


def config_digest(config: dict) -> str:
    """SHA-256 of the configuration without folders of this machine, labels and access."""
    return digest(_recorded(config))


def _recorded(config: dict) -> dict:
    kept = {key: value for key, value in config.items() if key != "results"}
    return kept | {kind: {name: recorded(entry) for name, entry in config[kind].items()} for kind in ENTRIES}


def changed_values(config: dict, published: dict) -> list[str]:
    """How a configuration differs from the published study, a line per value; new entries only by name.

    Labels and access are left out, as in `config_digest`; of a folder of weights is said only that it is one.
    """
    return _changes(_shown(config), _shown(published), "")


def _shown(config: dict) -> dict:
    shown = _recorded(config)
    for kind in ENTRIES:
        for name, entry in config[kind].items():
            if is_folder(entry.get("source") or ""):
                shown[kind][name] = shown[kind][name] | {"source": "a folder"}
    return shown


def _changes(now: dict, before: dict, where: str) -> list[str]:
    found = []
    for key in [*now, *(key for key in before if key not in now)]:
        name = f"{where}{key}"
        if key not in now or key not in before:
            found.append(f"{name}: {'new' if key in now else 'not there'}")
        elif isinstance(now[key], dict) and isinstance(before[key], dict):
            found += _changes(now[key], before[key], f"{name}.")
        elif now[key] != before[key]:
            found.append(f"{name}: {now[key]} (published: {before[key]})")
    return found


def caption_values(config: dict) -> dict:
    """The values of the configuration that captions name (workflow/report)."""
    keys = ("study", "image_size", "classifier_size", "seed", "significance", "recipes")
    shown = {kind: {name: {"label": entry["label"]} for name, entry in config[kind].items()} for kind in ENTRIES[:2]}
    return {key: config[key] for key in keys} | shown
