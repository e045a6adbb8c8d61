"""The gap with each remedy: what closes it, and what closes that of the lossless control as well."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import InputError
from ..significance.group_level import SAMPLING
from ..significance.level import CONFIDENCE
from ..significance.remedies import GAP
from ..significance.rows import CELL_TEST
from ..study.truths import NONE
from ..tables.labels import Labels, autoencoders_of, datasets_of, remedies_in_words
from .style import QUIET, Mark, add_legend, add_note, marks_of, panels, styled, width_of

LINE = 0.1  # inches of one autoencoder


@styled
def draw_remedies(tests: pd.DataFrame, labels: Labels) -> Figure:
    """A panel per dataset, a row per remedy, in it the gap of each autoencoder with its interval, controls last.

    `tests` is significance/remedies.csv. Dotted: the gap of an autoencoder without a remedy. InputError without a row.
    """
    rows = tests[(tests["test"] == CELL_TEST) & (tests["comparison"] == GAP)]
    if rows.empty:
        raise InputError("no run of study.recipes.remedies, so there is no gap to draw")
    rows = rows.assign(
        **{key: 100 * pd.to_numeric(rows[key], errors="coerce") for key in ("effect", "ci_low", "ci_high")}
    )
    datasets, named = datasets_of(rows, labels), {}
    for group in autoencoders_of(rows, labels):
        named |= group
    marks, remedies = marks_of(labels, rows), remedies_in_words(zip(rows["remedy"], rows["recipe"], strict=True))
    columns, height = min(4, len(datasets)), 1.0 + LINE * (len(named) + 1) * len(remedies)
    figure, grid = panels(len(datasets), columns, width_of(columns) / columns, height, sharey=True, sharex=True)
    for axes, (dataset, label) in zip(grid, datasets.items(), strict=True):
        axes.set_title(label, loc="left")
        axes.axvline(0, color=QUIET, linewidth=0.8, zorder=1)
        axes.grid(visible=False, axis="y")
        for place, name in enumerate(named):
            own = rows[(rows["dataset"] == dataset) & (rows["autoencoder"] == name)]
            shift = (place - (len(named) - 1) / 2) / (len(named) + 1)
            draw_autoencoder(axes, own, [*remedies], shift, marks[name], named[name])
    grid[0].set_yticks(range(len(remedies)), [*remedies.values()])
    grid[0].set_ylim(len(remedies) - 0.5, -0.5)
    for axes in grid[-columns:]:
        axes.set_xlabel("gap (points)")
    add_legend(figure, grid, columns=2)
    said = [f"Gaps with their {CONFIDENCE} intervals; dotted: without a remedy."]
    said += ["The variance is only that of sampling."] if (rows["method"] == SAMPLING).any() else []
    add_note(figure, said, labels, datasets)
    return figure


def draw_autoencoder(
    axes: Axes, own: pd.DataFrame, remedies: list[tuple[str, str]], shift: float, mark: Mark, label: str
) -> None:
    """Its gaps, each in the row of its remedy."""
    for row in own.to_dict("records"):
        height = remedies.index((row["remedy"], row["recipe"])) + shift
        if np.isfinite([row["ci_low"], row["ci_high"]]).all():
            axes.plot([row["ci_low"], row["ci_high"]], [height] * 2, color=mark.colour, linewidth=1, gid="interval")
        axes.plot(row["effect"], height, **mark.points(4), label=label, gid="gap")
        if row["remedy"] == NONE:
            axes.axvline(row["effect"], color=mark.colour, linewidth=0.8, linestyle=(0, (1, 1.5)), zorder=1, gid="none")
