"""Table 1: the scores of every space, autoencoder and dataset."""

from collections.abc import Iterable, Sequence

import pandas as pd

from ..errors import InputError
from ..significance.level import ALPHA, P_BELOW
from ..significance.rows import CELL_TEST, HEADLINE_METRIC
from ..storage.contracts import SCORES
from .caveats import Spoiled, chance_row, sentences
from .formats import render
from .frames import cells_by, corrected_p, mean_scores
from .labels import Labels, autoencoders_of, data_notes, datasets_of, notice
from .layout import MISSING, SCORE_HEADS, Best, Block, Layout, best_cells, cell_text, listed, scores_over_folds

OVER_FOLDS_IN_WORDS = "two-sided t-test paired by fold with Nadeau and Bengio's correction"
CELL = ["dataset", "autoencoder", "space", "metric"]
MARK = "‡"  # as in Table 4: differs from reconstruction space


def table1(metrics: pd.DataFrame, folds: Sequence[int]) -> pd.DataFrame:
    """Mean and sd (ddof 1) over folds per cell; a single fold gives sd 0.0, and n_folds 1 says why."""
    return mean_scores(metrics, folds, "Table 1")


def render_table1(
    table: pd.DataFrame,
    labels: Labels,
    footnotes: Iterable[str] = (),
    with_sd: bool = True,
    tests: pd.DataFrame | None = None,
    caveats: Iterable[Spoiled] = (),
    metrics: Sequence[str] = SCORES,
) -> dict[str, str]:
    """Table 1 as md, html and tex: chance, image space, then the families in both spaces, then the controls.

    It shows these `metrics`, in the order of SCORES.

    The best family of each space is bold. With `tests`, those of `deciding_tests` for the same runs, latent scores that
    differ from reconstruction are marked; a family's cell without its test is an InputError.
    """
    metrics = [metric for metric in SCORES if metric in metrics]
    cells = cells_by(table, CELL)
    datasets = datasets_of(table, labels)
    differing, families = _differing(table, tests), table[table["role"] == "family"]
    best = best_cells(families, ["dataset", "space", "metric"], CELL)

    def text(*key: str) -> str:
        shown = cell_text(cells.get(key), with_sd) + (MARK if key in differing else "")
        return Best(shown) if key in best else shown

    def row(head: str, autoencoder: str, space: str) -> list[str]:
        return [head, *(text(dataset, autoencoder, space, metric) for dataset in datasets for metric in metrics)]

    def blocks(autoencoders: dict[str, str]) -> list[Block]:
        spaces = {"LS": "latent", "RS": "reconstruction"}
        return [(name, [row(head, a, space) for head, space in spaces.items()]) for a, name in autoencoders.items()]

    caption = _caption(table, metrics, with_sd, bool(best), tests) + notice(datasets, labels)
    guess = chance_row([MISSING], datasets, metrics, labels)
    image = ("Image Space", [row(MISSING, "original", "image")])
    families, controls = map(blocks, autoencoders_of(table, labels))
    spanners = [(name, [SCORE_HEADS[metric] for metric in metrics]) for name in datasets.values()]
    return render(
        Layout(
            "Table 1",
            caption,
            ["Method", "Sp."],
            spanners,
            [[*guess, image, *families], controls],
            [*footnotes, *sentences(caveats, datasets, labels.autoencoders), *data_notes(datasets, labels)],
        )
    )


def _caption(table: pd.DataFrame, metrics: Sequence[str], with_sd: bool, bold: bool, tests: pd.DataFrame | None) -> str:
    """What the numbers are, and what bold and the mark mean where they can occur."""
    caption = (
        "Classifiers in image space, latent space (LS) and reconstruction space (RS): "
        f"{scores_over_folds(table, with_sd, metrics)}."
    )
    caption += " Bold: the best autoencoder of each space." if bold else ""
    if tests is not None and len(tests) and table["n_folds"].max() > 1:
        by_folds, others = OVER_FOLDS_IN_WORDS, [SCORE_HEADS[each] for each in metrics if each != HEADLINE_METRIC]
        if CELL_TEST in set(tests["test"]) and HEADLINE_METRIC in metrics:
            of_accuracy = "two-sided test over groups of images, whose variance is that of sampling and of training"
            said = f"of bACC by the {of_accuracy}, of {listed(others)} by the {by_folds}" if others else of_accuracy
        else:
            said = by_folds
        caption += f" {MARK} differs from RS: {P_BELOW}, {said}, Holm's over all cells of the metric."
    return caption


def _differing(table: pd.DataFrame, tests: pd.DataFrame | None) -> set[tuple[str, ...]]:
    """Latent cells of the families whose score differs from that in reconstruction space."""
    if tests is None:
        return set()
    p_values, keys = corrected_p(tests), ["dataset", "autoencoder", "metric"]
    families = table[table["role"] == "family"].groupby(keys, sort=False)["space"].agg(set)
    found = set()
    for key in families.index[families >= {"latent", "reconstruction"}]:
        test = (*key, "reconstruction_vs_latent")
        if test not in p_values:
            raise InputError(
                f"Table 1: no test of {', '.join(test)}; make significance/latent_vs_reconstruction.csv again"
            )
        if p_values[test] < ALPHA:
            found.add((key[0], key[1], "latent", key[2]))
    return found
