"""Table 1: the scores of every space, autoencoder and dataset."""

from collections.abc import Iterable, Sequence

import pandas as pd

from ..contracts import SCORES, InputError
from .formats import render
from .frames import cells_by, named, score_rows
from .labels import Labels, autoencoders_of, datasets_of, notice
from .layout import MISSING, SCORE_HEADS, Block, Layout, cell_text, values_over_folds

IDENTITY = ["dataset", "autoencoder", "role", "space", "recipe"]


def table1(metrics: pd.DataFrame, folds: Sequence[int]) -> pd.DataFrame:
    """Mean and sd (ddof 1) over folds per cell; a single fold gives sd 0.0, and n_folds 1 says why."""
    if metrics.empty:
        raise InputError("Table 1: no metrics; expected one row per cell and fold; train the runs first")
    rows = []
    for key, runs in metrics.groupby(IDENTITY, sort=False, dropna=False):
        where = "Table 1: " + named(zip(IDENTITY, key, strict=True))
        rows += [(*key, *scores) for scores in score_rows(runs, folds, where)]
    return pd.DataFrame(rows, columns=[*IDENTITY, "metric", "mean", "sd", "n_folds"])


def render_table1(
    table: pd.DataFrame, labels: Labels, footnotes: Iterable[str] = (), with_sd: bool = True
) -> dict[str, str]:
    """Table 1 as md, html and tex: image space, then the families in both spaces, then the controls."""
    cells = cells_by(table, ["dataset", "autoencoder", "space", "metric"])
    datasets = datasets_of(table, labels)

    def row(head: str, autoencoder: str, space: str) -> list[str]:
        keys = [(dataset, autoencoder, space, metric) for dataset in datasets for metric in SCORES]
        return [head, *(cell_text(cells.get(key), with_sd) for key in keys)]

    def blocks(autoencoders: dict[str, str]) -> list[Block]:
        spaces = {"LS": "latent", "RS": "reconstruction"}
        return [(name, [row(head, a, space) for head, space in spaces.items()]) for a, name in autoencoders.items()]

    caption = (
        "Classifiers in image space, latent space (LS) and reconstruction space (RS): balanced accuracy (bACC), AUC "
        f"and Matthews correlation coefficient (MCC), {values_over_folds(table, with_sd)}.{notice(datasets, labels)}"
    )
    image = ("Image Space", [row(MISSING, "original", "image")])
    families, controls = map(blocks, autoencoders_of(table, labels))
    spanners = [(name, [*SCORE_HEADS.values()]) for name in datasets.values()]
    return render(Layout("Table 1", caption, ["Method", "Sp."], spanners, [[image, *families], controls], [*footnotes]))
