"""Balanced accuracy over the number of training images, in every space: is a gap a wall, or a price in samples?"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from ..significance.rows import HEADLINE_METRIC
from ..tables.labels import Labels, autoencoders_of, datasets_of
from .style import SPACES, Mark, add_legend, add_note, dataset_panels, draw_chance, marks_of, styled

LINES = {"image": "-", "reconstruction": "--", "latent": "-"}
LEAST_APART = 1.6  # of two sizes whose numbers are both at the axis


@styled
def draw_learning_curves(table: pd.DataFrame, chance: dict[str, float], labels: Labels) -> Figure:
    """A panel per dataset, a line per space and autoencoder: mean over folds, and a standard deviation to either side.

    `table` is learning_curve.csv; `chance` by dataset the balanced accuracy of guessing.
    """
    curves = table[table["metric"] == HEADLINE_METRIC]
    curves = curves.astype(dict.fromkeys(["n_images", "mean", "sd"], float))
    datasets, (families, controls) = datasets_of(curves, labels), autoencoders_of(curves, labels)
    marks = marks_of(labels, curves)
    figure, grid = dataset_panels(datasets, 2, 2.3, "training images", "balanced accuracy")
    for dataset, axes in grid.items():
        own = curves[curves["dataset"] == dataset]
        for (autoencoder, space), curve in own.groupby(["autoencoder", "space"], sort=False):
            name = (families | controls).get(autoencoder)
            shown = f"{name}, {space}s" if name else "images"
            draw_curve(axes, curve.sort_values("n_images"), mark_of(marks[autoencoder], space), LINES[space], shown)
        draw_chance(axes, chance[dataset])
        number_axis(axes, np.unique(own["n_images"]))
    add_legend(figure, grid.values(), columns=2)
    folds = int(curves["n_folds"].max())
    said = f"Mean over {folds} folds and a standard deviation to either side." if folds > 1 else "One fold."
    add_note(figure, [said], labels, datasets)
    return figure


def mark_of(mark: Mark, space: str) -> Mark:
    """The mark of the images, or that of an autoencoder, which is open for reconstructions."""
    return SPACES["image"] if space == "image" else mark._replace(filled=space == "latent")


def draw_curve(axes: Axes, curve: pd.DataFrame, mark: Mark, line: str, label: str) -> None:
    """Means with error bars; of one fold there are none."""
    if (curve["n_folds"].astype(int) > 1).all():
        low, high = curve["mean"] - curve["sd"], curve["mean"] + curve["sd"]
        axes.vlines(curve["n_images"], low, high, color=mark.colour, linewidth=0.9, alpha=0.6, gid="sd")
    style = mark.points(4.5) | {"linestyle": line}
    axes.plot(curve["n_images"], curve["mean"], **style, label=label, gid="mean")


def number_axis(axes: Axes, sizes: np.ndarray) -> None:
    """A logarithmic axis with the numbers of images themselves, from the largest down where there is room."""
    axes.set_xscale("log")
    shown: list[float] = []
    for size in sizes[::-1]:
        if not shown or shown[-1] / size >= LEAST_APART:
            shown.append(size)
    axes.set_xticks(shown)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
