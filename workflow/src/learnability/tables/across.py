"""Across spaces: classifiers of images on reconstructions and the reverse, each beside its own space."""

from collections.abc import Iterable, Sequence

import pandas as pd

from .frames import score_rows
from .labels import Labels
from .layout import scores_over_folds
from .scores import render_scores

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
    caption = (
        "Classifiers of images and of reconstructions, tested on the same test rows as both: "
        f"{scores_over_folds(table)}. A classifier of images that loses on reconstructions, where one of "
        "reconstructions does not, has met another domain; what both lose is gone from the reconstructions."
    )
    stubs = {
        "Recipe": lambda row: row["recipe"].replace("_", " "),
        "Trained on": lambda row: f"{row['trained_on']}s",
        "Tested on": lambda row: f"{row['tested_on']}s",
    }
    return render_scores("Across spaces", caption, table, labels, IDENTITY[3:], stubs, footnotes)
