"""Across spaces: classifiers of images on reconstructions and the reverse, each beside its own space."""

from collections.abc import Iterable, Sequence

import pandas as pd

from ..storage.contracts import SCORES
from .caveats import chance_row
from .formats import render
from .frames import cells_by, score_rows
from .labels import Labels, data_notes, datasets_of, notice, present
from .layout import MISSING, SCORE_HEADS, Block, Layout, cell_text, values_over_folds

IDENTITY = ["dataset", "autoencoder", "role", "trained_on", "tested_on", "recipe"]
ACROSS_COLUMNS = [*IDENTITY, "metric", "mean", "sd", "n_folds"]
SPACES = ("image", "reconstruction")


def across_spaces(metrics: pd.DataFrame, scores: pd.DataFrame, folds: Sequence[int]) -> pd.DataFrame:
    """ACROSS_COLUMNS, four rows a metric for each dataset, autoencoder and recipe; sd with ddof 1.

    `scores` are the rows of all files of score_across_spaces, `metrics` the runs in both spaces, whose own scores stand
    beside them; those of images, of no autoencoder, beside each.
    """
    own = metrics.assign(trained_on=metrics["space"], tested_on=metrics["space"])
    roles = metrics.set_index("autoencoder")["role"].to_dict()
    rows = []
    for (dataset, name, recipe), crossed in scores.groupby(["dataset", "autoencoder", "recipe"], sort=False):
        here = own[
            (own["dataset"] == dataset) & (own["recipe"] == recipe) & own["autoencoder"].isin(["original", name])
        ]
        both = pd.concat([here, crossed], ignore_index=True)
        for trained_on in SPACES:
            for tested_on in SPACES:
                cell = both[(both["trained_on"] == trained_on) & (both["tested_on"] == tested_on)]
                identity = (dataset, name, roles[name], trained_on, tested_on, recipe)
                where = f"Across spaces: {', '.join(identity)}"
                rows += [(*identity, *score) for score in score_rows(cell, folds, where)]
    return pd.DataFrame(rows, columns=ACROSS_COLUMNS)


def render_across_spaces(table: pd.DataFrame, labels: Labels, footnotes: Iterable[str] = ()) -> dict[str, str]:
    """The table as md, html and tex: four rows per autoencoder and recipe."""
    keys = ["autoencoder", "recipe", "trained_on", "tested_on"]
    cells, datasets = cells_by(table, ["dataset", *keys, "metric"]), datasets_of(table, labels)

    def block(autoencoder: str, label: str) -> Block:
        own = table.loc[table["autoencoder"] == autoencoder, keys].drop_duplicates()
        return label, [
            [
                recipe.replace("_", " "),
                *(f"{space}s" for space in spaces),
                *(
                    cell_text(cells.get((dataset, autoencoder, recipe, *spaces, metric)), True)
                    for dataset in datasets
                    for metric in SCORES
                ),
            ]
            for _, recipe, *spaces in own.itertuples(index=False, name=None)
        ]

    caption = (
        "Classifiers of images and of reconstructions, tested on the same test rows as both: balanced accuracy (bACC), "
        f"AUC and Matthews correlation coefficient (MCC), {values_over_folds(table, True)}. A classifier of images "
        "that loses on reconstructions, where one of reconstructions does not, has met another domain; what both lose "
        "is gone from the reconstructions."
        f"{notice(datasets, labels)}"
    )
    spanners = [(name, [*SCORE_HEADS.values()]) for name in datasets.values()]
    guess = chance_row([MISSING] * 3, datasets, SCORES, labels)
    blocks = [block(*pair) for pair in present(table["autoencoder"], labels.autoencoders).items()]
    heads = ["Autoencoder", "Recipe", "Trained on", "Tested on"]
    sections = [*([guess] if guess else []), *([each] for each in blocks)]
    notes = [*footnotes, *data_notes(datasets, labels)]
    return render(Layout("Across spaces", caption, heads, spanners, sections, notes))
