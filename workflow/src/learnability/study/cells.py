"""What a study consists of, read from its configuration: autoencoders, tables and cells."""

from collections.abc import Collection

from ..errors import InputError
from ..storage.contracts import CELL
from . import controls
from .controls import LOSSLESS
from .recipe import WITH_BLOCKS
from .recipes import resolve_recipe, spaces_of
from .replicates import with_replicates
from .truths import CONTROLS, REMEDIES

ALL_SPACES = {"image", "latent", "reconstruction"}
WITH_CONTROLS = ("gap_decomposition", REMEDIES)  # the lossless one of each grid
WITHOUT = {"table4": "image", "decoder_depth": "image", "across_spaces": "latent"}  # a space that a table has not


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


def has_blocks(config: dict, name: str) -> bool:
    """Whether the decoder of an autoencoder has blocks that can be run one after the other (decoder_blocks.py)."""
    return decodes(config, name) and resolve_autoencoder(config, name)["class"] in WITH_BLOCKS


def cells(config: dict, table: str = "table1") -> list[dict]:
    """Every run of a table: dataset, space, autoencoder, recipe, fold. Image space has no autoencoder."""
    return [
        {"dataset": dataset, "autoencoder": autoencoder, "space": space, "recipe": recipe, "fold": fold}
        for dataset in scope(config, table)["datasets"]
        for autoencoder, space, recipe in columns(config, table)
        for fold in config["study"]["folds"]
    ]


def scope(config: dict, table: str) -> dict[str, list[str]]:
    """Datasets and autoencoders of a table: the study's, or those of them that `limited_to` names."""
    study = config["study"]
    if table == CONTROLS:
        study = study | {"autoencoders": study["controls"], "datasets": study["datasets"] if study["controls"] else []}
    limits = study["limited_to"].get(table, {})
    return {
        kind: [name for name in study[kind] if name in limits.get(kind, study[kind])]
        for kind in ("datasets", "autoencoders")
    }


def columns(config: dict, table: str) -> list[tuple[str, str, str]]:
    """Every (autoencoder, space, recipe) of a table, in the order of its rows: image first, then LS and RS.

    Table 4 and the decoder's depth have no image space, scores across spaces no latent space. The gap's decomposition
    and the remedies add the lossless control of each autoencoder's grid; without all three spaces there is neither.
    """
    study, found = config["study"], []
    if table == CONTROLS:
        return controls.control_columns(config)
    if table in WITH_CONTROLS and set(study["spaces"]) != ALL_SPACES:
        return []
    autoencoders = scope(config, table)["autoencoders"]
    if table in (*WITH_CONTROLS, *WITHOUT):  # which compare with reconstructions
        autoencoders = [name for name in autoencoders if decodes(config, name)]
    for autoencoder in ["original", *autoencoders] if autoencoders else []:
        for recipe in study["recipes"].get(table, []):
            for space in spaces_of(config, recipe):
                if space not in {*study["spaces"]} - {WITHOUT.get(table)}:
                    continue
                if (space == "image") != (autoencoder == "original"):
                    continue
                if space != "reconstruction" or decodes(config, autoencoder):
                    found.append((autoencoder, space, recipe))
    order = {"image": 0, "latent": 1, "reconstruction": 2}
    found = sorted(found, key=lambda row: (["original", *study["autoencoders"]].index(row[0]), order[row[1]]))
    if table in WITH_CONTROLS:
        used = dict.fromkeys(recipe for _, space, recipe in found if space == "latent")
        lossless = dict.fromkeys(controls_of_grids(config, table).values())
        found += [(name, "latent", recipe) for name in lossless for recipe in used]
    if table == REMEDIES:
        found = [run for run in found if is_tried(config, *run)]
    return list(dict.fromkeys(found))


def is_tried(config: dict, autoencoder: str, space: str, recipe: str) -> bool:
    """Whether Table 6 has this run of its autoencoders and recipes.

    A fine-tuned autoencoder is a remedy itself, or the neighbour of one: it has no other. What a lossless control
    decodes to are the images. Controls whose decoder has no known blocks have no row of these.
    """
    entry, remedies = config["autoencoders"].get(autoencoder, {}), resolve_recipe(config, recipe).remedies
    if "finetune" in entry:
        return not remedies
    if entry.get("class") == LOSSLESS and space == "reconstruction":
        return False
    return not (entry.get("role") == "control" and "decoder_blocks" in remedies and not has_blocks(config, autoencoder))


def blocks_of(config: dict) -> dict[str, str | None]:
    """The recipes of the decoder's depth, each with the block that it stands behind; None where it is none."""
    names = {recipe: None for *_, recipe in columns(config, "decoder_depth")}
    return {name: resolve_recipe(config, name).decoder_blocks for name in names}


def pairs_across(config: dict) -> list[dict]:
    """What is scored across spaces: dataset, autoencoder, recipe and fold, each with a run in both spaces."""
    found = [cell for cell in cells(config, "across_spaces") if cell["space"] == "reconstruction"]
    return [{key: cell[key] for key in CELL if key != "space"} for cell in found]


def all_cells(config: dict) -> list[dict]:
    """Every run that a table of the study shows, each once."""
    found = [cell for table in config["study"]["recipes"] for cell in cells(config, table)]
    if part := efficiency(config):
        found += [efficiency_run(config, row) for row in part["rows"]]
    return each_once(found)


def each_once(runs: list[dict]) -> list[dict]:
    """These runs without repetitions, in the order in which they first come."""
    return list({tuple(run[key] for key in CELL): run for run in runs}.values())


def lossless_controls(config: dict) -> dict[str, dict]:
    """The entries of the configured controls that lose nothing, by name."""
    return {name: entry for name, entry in config["autoencoders"].items() if entry.get("class") == LOSSLESS}


def controls_of_grids(
    config: dict, table: str = "gap_decomposition", among: Collection[str] | None = None
) -> dict[str, str]:
    """The lossless control on the grid of every autoencoder of a table that has one; InputError where it has two.

    There is none where the study has no recipes for the table. It is looked for `among` these names, or all that are
    configured.
    """
    lossless = {name: entry for name, entry in lossless_controls(config).items() if among is None or name in among}
    found = {}
    for name in scope(config, table)["autoencoders"] if config["study"]["recipes"].get(table) else ():
        factor = resolve_autoencoder(config, name)["factor"]
        controls = [control for control, entry in lossless.items() if entry["factor"] == factor]
        if len(controls) > 1:
            raise InputError(
                f"autoencoders: {' and '.join(controls)} are both of class {LOSSLESS} and factor {factor}; expected "
                f"one, with which study.recipes.{table} compares {name}; remove the other from your study file"
            )
        if controls:
            found[name] = controls[0]
    return found


def rows_of_table4(config: dict) -> dict[str, tuple[str, str]]:
    """Rows of Table 4, each with its (space, recipe): `reconstruction`, then the latent ones by recipe."""
    found = [(space, recipe) for _, space, recipe in columns(config, "table4")]
    rows = {"reconstruction" if space == "reconstruction" else recipe: (space, recipe) for space, recipe in found}
    return dict(sorted(rows.items(), key=lambda row: row[0] != "reconstruction"))


def recipes_of_gaps(config: dict) -> dict[str, str | dict[str, list[str]] | None]:
    """The recipes of the gaps: Table 1's in reconstruction (`image`) and latent space or None, and the matched ones.

    `matched` has the trainings of each, itself and its replicates, by its name.
    """
    recipes = config["study"]["recipes"]
    of_space = {space: name for name in recipes["table1"] for space in spaces_of(config, name)}
    matched = with_replicates(config, recipes.get("gap_decomposition", []))
    return {"image": of_space.get("reconstruction"), "latent": of_space.get("latent"), "matched": matched}


def decomposed(config: dict) -> dict[str, list[str]]:
    """Datasets and autoencoders whose gap is decomposed; none where the study has no recipes or spaces for it."""
    if not columns(config, "gap_decomposition"):
        return {"datasets": [], "autoencoders": []}
    return scope(config, "gap_decomposition")


def cells_of_gaps(config: dict) -> list[dict]:
    """Every run that the gap's decomposition reads: the matched ones, and those of Table 1 that are none of these."""
    datasets, autoencoders = scope(config, "gap_decomposition").values()
    table1 = [run for run in cells(config) if run["dataset"] in datasets and run["autoencoder"] in autoencoders]
    return each_once(cells(config, "gap_decomposition") + table1)


def cells_of_information(config: dict) -> list[dict]:
    """Every run whose information is given in bits: the probes, and of the learning curve those with all rows."""
    whole = {name for name, share in shares_of_curve(config).items() if share == 1}
    curve = [cell for cell in cells(config, "learning_curve") if cell["recipe"] in whole]
    return each_once(cells(config, "probes") + curve)


def shares_of_curve(config: dict) -> dict[str, float]:
    """The share of the training groups that each recipe of the learning curve uses."""
    names = config["study"]["recipes"].get("learning_curve", [])
    return {name: resolve_recipe(config, name).train_share for name in names}


def gaps_of_curve(config: dict) -> list[str]:
    """Autoencoders whose gap the learning curve has: those with both sides of it that are no lossless controls."""
    runs = {(cell["autoencoder"], cell["space"]) for cell in cells(config, "learning_curve")}
    both = [name for name, space in sorted(runs) if space == "latent" and (name, "reconstruction") in runs]
    return [name for name in both if name not in lossless_controls(config)]


def controls_of_curve(config: dict) -> dict[str, str]:
    """The lossless control of every autoencoder of the learning curve that has one in it, beside the images.

    A lossless one has itself, wherever it is.
    """
    runs = {(cell["autoencoder"], cell["space"]) for cell in cells(config, "learning_curve")}
    read = {name for name, space in runs if space == "latent"} if ("original", "image") in runs else ()
    itself = {name: name for name in lossless_controls(config)}
    return controls_of_grids(config, "learning_curve", among=read) | itself


def efficiency(config: dict) -> dict | None:
    """The `efficiency` part of a study (Table 3), or None where its autoencoder is not in the study."""
    part = config["study"]["efficiency"]
    return part if part and part["autoencoder"] in config["study"]["autoencoders"] else None


def efficiency_run(config: dict, row: str) -> dict:
    """The run behind a row of Table 3."""
    part = config["study"]["efficiency"]
    recipe = part["rows"][row]
    identity = {key: part[key] for key in ("dataset", "autoencoder", "fold")}
    return identity | {"space": spaces_of(config, recipe)[0], "recipe": recipe}
