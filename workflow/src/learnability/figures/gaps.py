"""The gap of every autoencoder and dataset: folds, mean and interval."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..significance.cells import reconstruction_minus
from ..significance.level import ALPHA, CONFIDENCE, P_BELOW
from ..significance.rows import BOTH, CELL_TEST, HEADLINE_METRIC
from ..tables.frames import corrected_p, deciding_tests
from ..tables.labels import Labels, autoencoders_of, datasets_of
from .style import QUIET, SMALL, Mark, add_note, folds_in_words, marks_of, panels, styled, width_of

GAP = "reconstruction_vs_latent"
BELOW = 0.33  # of a row: how far the folds stand below the mean, so that it hides none


def fold_gaps(metrics: pd.DataFrame) -> pd.DataFrame:
    """dataset, autoencoder, role, gap: one row per fold of every pair that has both spaces."""
    cells = reconstruction_minus(metrics, "latent")
    rows = [
        (cell.labels["dataset"], cell.labels["autoencoder"], cell.labels["role"], difference)
        for cell in cells
        for difference in cell.differences
    ]
    return pd.DataFrame(rows, columns=["dataset", "autoencoder", "role", "gap"])


def intervals(over_folds: pd.DataFrame, over_groups: pd.DataFrame) -> pd.DataFrame:
    """Mean, 95 % interval and its method of every pair from group_level.csv, and the corrected p that decides.

    That p is the same file's where its variance is of sampling and of training, else of latent_vs_reconstruction.csv.
    NaN is what there is not.
    """
    gap = (over_groups["test"] == CELL_TEST) & (over_groups["comparison"] == GAP)
    chosen, p = over_groups[gap], corrected_p(deciding_tests(over_folds, over_groups))
    numbers = ["effect", "ci_low", "ci_high"]
    values = chosen[numbers].apply(pd.to_numeric, errors="coerce").assign(method=chosen["method"])
    pairs = chosen[["dataset", "autoencoder"]]
    values["p_corrected"] = [p[(*pair, HEADLINE_METRIC, GAP)] for pair in pairs.itertuples(index=False, name=None)]
    return values.set_index(pd.MultiIndex.from_frame(pairs))


@styled
def draw_gaps(metrics: pd.DataFrame, over_folds: pd.DataFrame, over_groups: pd.DataFrame, labels: Labels) -> Figure:
    """A panel per dataset and a line per autoencoder: families, and apart from them the controls."""
    points, means = fold_gaps(metrics), intervals(over_folds, over_groups)
    datasets = datasets_of(metrics, labels)
    families, controls = autoencoders_of(points, labels)
    marks = marks_of(labels, dict(zip(points["autoencoder"], points["role"], strict=True)))
    heights = rows_of(families, controls)
    tall = 0.65 + 0.27 * (max(heights.values(), default=1) + 1)
    columns = min(4, len(datasets))
    figure, grid = panels(len(datasets), columns, width_of(columns) / columns, tall, sharey=True, sharex=True)
    low, high = limits(points, means)
    for axes, (dataset, label) in zip(grid, datasets.items(), strict=True):
        of_dataset = points[points["dataset"] == dataset]
        axes.set_title(label, loc="left")
        axes.set_xlim(low, high)
        axes.axvline(0, color=QUIET, linewidth=0.8, zorder=1)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        for name, height in heights.items():
            if (dataset, name) in means.index:
                folds = of_dataset.loc[of_dataset["autoencoder"] == name, "gap"]
                draw_pair(axes, folds, means.loc[(dataset, name)], height, marks[name])
        if families and controls:
            axes.axhline(len(families) - 0.25, color=QUIET, linewidth=0.6, linestyle=(0, (4, 3)))
    name_rows(grid[0], heights, families | controls)
    for axes in grid[-columns:]:
        axes.set_xlabel("gap")
    add_note(figure, sentences(points, means), labels, datasets)
    return figure


def rows_of(families: dict[str, str], controls: dict[str, str]) -> dict[str, float]:
    """Where each autoencoder stands, from the top; between families and controls there is room."""
    heights = {name: float(i) for i, name in enumerate(families)}
    start = len(families) + (0.5 if families else 0.0)
    return heights | {name: start + i for i, name in enumerate(controls)}


def limits(points: pd.DataFrame, means: pd.DataFrame) -> tuple[float, float]:
    """Of the x axis: zero, every fold, and of the intervals what is not so wide that it would hide them."""
    folds = np.append(points["gap"].to_numpy(), 0.0)
    low, high = folds.min(), folds.max()
    room = max(high - low, 0.02)
    low = max(low - 0.5 * room, min(low, means["ci_low"].min())) if means["ci_low"].notna().any() else low
    high = min(high + 0.5 * room, max(high, means["ci_high"].max())) if means["ci_high"].notna().any() else high
    return low - 0.06 * room, high + 0.06 * room


def draw_pair(axes: Axes, folds: pd.Series, mean: pd.Series, height: float, mark: Mark) -> None:
    """Folds as small points, the interval as a line, an arrowhead where it leaves the panel, the mean on top."""
    low, high = axes.get_xlim()
    ends = mean[["ci_low", "ci_high"]].to_numpy(dtype=float)
    if np.isfinite(ends).all():
        axes.plot(np.clip(ends, low, high), [height] * 2, color=mark.colour, linewidth=1.3, zorder=2, gid="interval")
        for end, edge, arrow in ((ends[0], low, "<"), (ends[1], high, ">")):
            if not low <= end <= high:
                axes.plot(edge, height, arrow, color=mark.colour, markersize=4, clip_on=False, zorder=2)
    ticks = {"marker": "|", "markersize": 4.5, "markeredgewidth": 0.9, "linestyle": "none"}
    axes.plot(folds, [height + BELOW] * len(folds), color=mark.colour, **ticks, gid="folds")
    axes.plot(mean["effect"], height, **mark.points(5.5, zorder=4, gid="mean"))
    if mean["p_corrected"] < ALPHA:
        axes.text(1.01, height, "∗", transform=axes.get_yaxis_transform(), va="center", fontsize=SMALL + 2)


def name_rows(axes: Axes, heights: dict[str, float], names: dict[str, str]) -> None:
    """The autoencoders' names at the shared y axis, the first on top."""
    axes.set_yticks(list(heights.values()), [textwrap.fill(names[name], 18) for name in heights])
    axes.set_ylim(max(heights.values(), default=0) + 0.7, -0.6)


def sentences(points: pd.DataFrame, means: pd.DataFrame) -> list[str]:
    """What the note below the figure says."""
    if points.empty:
        return ["No autoencoder has both reconstruction and latent runs."]
    folds = int(points.groupby(["dataset", "autoencoder"]).size().max())
    said = [
        "Gap: balanced accuracy in reconstruction space minus that in latent space.",
        f"Ticks: the values of {folds_in_words(folds)}; symbol: their mean.",
    ]
    if means["ci_low"].notna().any():
        both = (means["method"] == BOTH).all()
        variance = "sampling and training" if both else "sampling alone: another training would move the mean further"
        said.append(
            f"Line: {CONFIDENCE} interval over groups of images, its variance that of {variance}; arrowhead: it "
            "goes on beyond the panel."
        )
    else:
        said.append("No interval: no two groups of images differ.")
    if (means["p_corrected"] < ALPHA).any():
        said.append(f"∗ differs from 0, {P_BELOW} after Holm's correction over the family pairs.")
    return said
