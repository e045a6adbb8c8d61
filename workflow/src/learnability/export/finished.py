"""What a results folder lacks before it can be passed on as a finished study."""

from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError, first_of
from ..storage.contracts import read_csv
from ..study.paths import dataset_file, run_file
from ..study.study_file import read_study

# Their rows name the runs behind them.
CELL_TABLES = ("table1", "table4", "ablation_controls", "probes", "learning_curve")
RUN_FILES = ("metrics.json", "model.json", "model.safetensors")
# What the study writes for each table that has rows.
MADE_OF = {
    "table1": "tables/table1.csv",
    "table4": "tables/table4.csv",
    "gap_decomposition": "significance/gap_decomposition.csv",
    "controls": "significance/controls.csv",
    "ablation_controls": "tables/ablation_controls.csv",
    "decoder_depth": "tables/decoder_depth.csv",
    "across_spaces": "tables/across_spaces.csv",
    "remedies": "tables/table6.csv",
    "probes": "tables/probes.csv",
    "information": "tables/information.csv",
    "learning_curve": "tables/learning_curve.csv",
    "table5": "tables/table5.csv",
}


def refuse_unfinished(results: Path) -> None:
    """Raise InputError with the files that a study lacks, unless it is finished."""
    path = results / "study.json"
    if not path.is_file():
        raise InputError(f"{path} does not exist; give the results folder of a study that is finished")
    missing = list(dict.fromkeys(missing_files(results, read_study(results))))
    if missing:
        raise InputError(
            f"{results}: the study is not finished. Run it to its end and export again; {len(missing)} missing:\n  "
            + first_of(missing, between="\n  ")
        )


def missing_files(results: Path, study: dict) -> Iterator[str]:
    """Missing files that a finished study has, relative to its folder."""
    expected = [file for name, file in MADE_OF.items() if name in study["tables"]]
    expected += ["summary.html", *(["tables/table3.csv"] if study["efficiency"] else [])]
    expected += [dataset_file(name, "dataset.json") for name in study["datasets"]]
    yield from (name for name in expected if not (results / name).is_file())
    yield from (f"tables/table1.csv: {cell}" for cell in cells_without_rows(results, study))
    cells = [cell for name in CELL_TABLES for cell in cells_of(results / "tables" / f"{name}.csv")]
    runs = [run_file(cell | {"fold": fold}, "") for cell in cells for fold in study["folds"]]
    begun = sorted({path.parent for path in results.glob("runs/*/*/*/*/*/*.json")})
    for run in [*runs, *(f"{path.relative_to(results).as_posix()}/" for path in begun)]:
        yield from (run + name for name in RUN_FILES if not (results / run / name).is_file())


def cells_without_rows(results: Path, study: dict) -> list[str]:
    """Data sets and autoencoders of the study that are not in its Table 1, because it grew after the table was made."""
    path = results / "tables" / "table1.csv"
    if not path.is_file():
        return []
    table = read_csv(path)
    scope = study["scopes"]["table1"]
    kinds = {"dataset": scope["datasets"]}
    if study["spaces"] != ["image"]:  # image space has no autoencoder
        kinds["autoencoder"] = scope["autoencoders"]
    return [f"{kind} {name}" for kind, names in kinds.items() for name in names if name not in set(table[kind])]


def cells_of(table: Path) -> list[dict]:
    """The cells behind the rows of a table; in image space the autoencoder is `original`, and `macro` is a mean.

    A row without a recipe belongs to a whole curve.
    """
    if not table.is_file():
        return []
    cells = read_csv(table)[["dataset", "autoencoder", "space", "recipe"]].dropna().drop_duplicates()
    cells = cells[cells["dataset"] != "macro"]
    cells.loc[cells["space"] == "image", "autoencoder"] = "original"
    return cells.to_dict("records")
