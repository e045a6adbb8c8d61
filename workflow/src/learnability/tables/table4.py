"""Table 4 and the paper's side claims: recipes side by side, per dataset and over all."""

from collections.abc import Callable, Iterable, Sequence

import pandas as pd

from ..errors import InputError
from ..significance.level import ALPHA, P_BELOW
from ..significance.macro import MACRO, with_macro
from .frames import corrected_p, score_rows
from .labels import Labels, present
from .layout import SPACE_HEADS, Best, best_cells, cell_text, scores_over_folds
from .scores import render_scores

TABLE4_COLUMNS = ["dataset", "autoencoder", "row", "space", "recipe", "metric", "mean", "sd", "n_folds"]
CELL_OF_TABLE4 = ["dataset", "autoencoder", "row", "space", "metric"]
MARKS = {"latent": "†", "reconstruction": "‡"}  # the row that a marked score differs from
SEARCHED = {"fold": "⋆", "fold0": "⋆⋄"}  # by the scope of the search
Row = tuple[str, str, str, str]  # name, space, recipe, autoencoder


def table4(metrics: pd.DataFrame, rows: dict[str, tuple[str, str]], folds: Sequence[int]) -> pd.DataFrame:
    """Mean and sd (ddof 1) over folds of each row, per dataset and for `macro`, the mean over datasets in a fold.

    `rows` names (space, recipe) of each row, `metrics` are the runs of these. Every autoencoder in it has every row
    and fold on each of its datasets, or an InputError names the run; on all datasets, it has a macro average too.
    """
    names = metrics.loc[metrics["role"] != "baseline", "autoencoder"].unique()
    wanted = [(row, space, recipe, name) for name in names for row, (space, recipe) in rows.items()]
    return _means(metrics, wanted, folds, "Table 4")


def ablation_controls(
    metrics: pd.DataFrame, rows: Sequence[tuple[str, str, str]], folds: Sequence[int]
) -> pd.DataFrame:
    """As Table 4, of any (space, recipe, autoencoder); the recipe's name is the row's, images have `original`."""
    wanted = [(recipe, space, recipe, autoencoder) for space, recipe, autoencoder in rows]
    return _means(metrics, wanted, folds, "Ablation controls")


def _means(metrics: pd.DataFrame, rows: Sequence[Row], folds: Sequence[int], title: str) -> pd.DataFrame:
    if metrics.empty:
        raise InputError(f"{title}: no metrics; expected one row per cell and fold; train the runs first")
    for name in sorted({row[-1] for row in rows} - set(metrics["autoencoder"])):
        raise InputError(f"{title}: autoencoder {name} has no run; train its runs, or take it out of the study")
    runs = dict(iter(with_macro(metrics).groupby(["dataset", "autoencoder", "space", "recipe"])))
    means = []
    for dataset in [*metrics["dataset"].unique(), MACRO]:
        there = {key[1] for key in runs if key[0] == dataset}
        for row, space, recipe, autoencoder in rows:
            if autoencoder in there:
                cell = runs.get((dataset, autoencoder, space, recipe), metrics.head(0))
                where = f"{title}: dataset {dataset}, autoencoder {autoencoder}, space {space}, recipe {recipe}"
                scores = score_rows(cell, folds, where)
                means += [(dataset, autoencoder, row, space, recipe, *score) for score in scores]
    return pd.DataFrame(means, columns=TABLE4_COLUMNS)


def render_table4(
    table: pd.DataFrame,
    labels: Labels,
    tests: pd.DataFrame,
    searched: dict[str, str],
    footnotes: Iterable[str] = (),
    with_sd: bool = True,
) -> dict[str, str]:
    """Table 4 as md, html and tex: a block per autoencoder, the rows in their order, each score with its marks.

    `tests` are those of `significance.ablation` for the same runs; `searched` gives the scope of the search, `fold`
    or `fold0`, of each row whose recipe was searched. A cell without its test is an InputError.
    """
    p_values = corrected_p(tests)
    rows = [*dict.fromkeys(table["row"])]
    shown = present(rows, labels.rows)

    def marks(dataset: str, autoencoder: str, row: str, space: str, metric: str) -> str:
        found = ""
        for reference, mark in MARKS.items():
            if reference in rows and reference != row:
                key = (dataset, autoencoder, metric, f"{row}_vs_{reference}")
                if key not in p_values:
                    raise InputError(f"Table 4: no test of {', '.join(key)}; make significance/ablation.csv again")
                found += mark if p_values[key] < ALPHA else ""
        return found

    def name(row: dict) -> str:
        return f"{shown[row['row']]} {SEARCHED.get(searched.get(row['row']), '')}".strip()

    caption = (
        "Classifiers of latents and what they gain from distillation, search and noise conditioning: "
        f"{scores_over_folds(table, with_sd)}. Bold: the best latent classifier."
    )
    caption += _legend(rows, shown, {searched[row] for row in rows if row in searched}, table["n_folds"].max())
    text = _best_in_bold(table, with_sd, marks)
    return render_scores("Table 4", caption, table, labels, ["row", "space"], {"Row": name}, footnotes, text)


def render_ablation_controls(
    table: pd.DataFrame, labels: Labels, footnotes: Iterable[str] = (), with_sd: bool = True
) -> dict[str, str]:
    """The side claims as md, html and tex: a block per autoencoder, first the images, the rows in their order."""
    shown = present(table["row"], labels.rows)
    caption = (
        "Classifiers that differ in one thing, in image space (IS), latent space (LS) and reconstruction space (RS): "
        f"{scores_over_folds(table, with_sd)}. Bold: the best latent classifier."
    )
    stubs = {"Classifier": lambda row: shown[row["row"]], "Sp.": lambda row: SPACE_HEADS[row["space"]]}
    text = _best_in_bold(table, with_sd)
    return render_scores("Ablation controls", caption, table, labels, ["row", "space"], stubs, footnotes, text)


def _legend(rows: list[str], shown: dict[str, str], scopes: set[str], n_folds: int) -> str:
    """What each mark of Table 4 means, of those that it can have."""
    marks = [f"{mark} differs from the row {shown[name]}" for name, mark in MARKS.items() if name in rows]
    text = ""
    if marks and n_folds > 1:
        text += (
            f" {', '.join(marks)}: {P_BELOW}, two-sided t-test paired by fold with Nadeau and Bengio's correction, "
            "Holm's over all datasets and rows that are compared with that row, over the macro averages by themselves."
        )
    if scopes:
        text += f" {SEARCHED['fold']} searched only on training and validation rows."
    if "fold0" in scopes:
        text += (
            f" {SEARCHED['fold0'][1:]} one search, on fold 0, serves all folds: it has seen rows that other folds "
            "test on, so these scores may be too good."
        )
    return text


def _best_in_bold(
    table: pd.DataFrame, with_sd: bool, marks: Callable[..., str] = lambda *key: ""
) -> Callable[[tuple, dict | None], str]:
    """What a cell shows, with its marks; that of the best latent classifier of each autoencoder is bold."""
    latent = table[table["space"] == "latent"]
    best = best_cells(latent, ["dataset", "autoencoder", "metric"], CELL_OF_TABLE4)

    def text(key: tuple, cell: dict | None) -> str:
        shown = cell_text(cell, with_sd) + (marks(*key) if cell else "")
        return Best(shown) if key in best else shown

    return text
