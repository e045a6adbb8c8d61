"""Validation scores over the epochs of Table 1's trainings."""

from collections.abc import Iterable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..tables.labels import Labels, autoencoders_of, datasets_of
from .style import DOTTED, QUIET, SPACES, Mark, add_legend, add_note, marks_of, styled, width_of

RUN = ["dataset", "autoencoder", "role", "space", "fold", "best_epoch"]
SCORE = "validation_balanced_accuracy"


def history_frame(runs: Iterable[tuple[dict, pd.DataFrame]]) -> pd.DataFrame:
    """dataset, autoencoder, role, space, fold, best_epoch, epoch, score of runs given as (metrics, history)."""
    frames = [
        history[["epoch", SCORE]].rename(columns={SCORE: "score"}).assign(**{key: run[key] for key in RUN})
        for run, history in runs
    ]
    return pd.concat(frames, ignore_index=True)[[*RUN, "epoch", "score"]]


def mean_curve(runs: pd.DataFrame) -> pd.Series:
    """Mean over folds by epoch, as far as every fold went: beyond, it would be of the folds that stopped late."""
    by_fold = runs.pivot(index="epoch", columns="fold", values="score").sort_index(axis=1)
    return by_fold.dropna().mean(axis=1)


@styled
def draw_training_curves(history: pd.DataFrame, reweighting: dict[str, int], labels: Labels) -> Figure:
    """A panel per space and dataset: folds thin with their best epoch marked, their mean thick.

    `reweighting`: by space the epoch after which deferred re-weighting begins.
    """
    datasets = datasets_of(history, labels)
    spaces = [space for space in SPACES if (history["space"] == space).any()]
    families, controls = autoencoders_of(history, labels)
    marks = marks_of(labels, history)
    names = {"original": "original images"} | families | controls
    width = width_of(len(datasets))
    figure = Figure(figsize=(width, 0.9 + 1.55 * len(spaces)), layout="constrained")
    grid = figure.subplots(len(spaces), len(datasets), squeeze=False, sharex=True, sharey="col")
    for row, space in zip(grid, spaces, strict=True):
        for axes, dataset in zip(row, datasets, strict=True):
            panel = history[(history["space"] == space) & (history["dataset"] == dataset)]
            for name in [name for name in names if (panel["autoencoder"] == name).any()]:
                draw_runs(axes, panel[panel["autoencoder"] == name], marks[name], names[name])
            if space in reweighting:
                begins = reweighting[space] + 0.5
                axes.axvline(begins, color=QUIET, linewidth=0.8, linestyle=DOTTED, gid="reweighting")
        row[0].set_ylabel(f"{space} space")
    for axes, label in zip(grid[0], datasets.values(), strict=True):
        axes.set_title(label, loc="left")
    for axes in grid[-1]:
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    figure.supylabel("balanced accuracy on the validation fold", fontsize=8)
    add_legend(figure, grid.flat)
    add_note(figure, [], labels, datasets)
    return figure


def draw_runs(axes: Axes, runs: pd.DataFrame, mark: Mark, label: str) -> None:
    """The runs of one autoencoder in one space on one dataset."""
    for _, run in runs.groupby("fold"):
        axes.plot(run["epoch"], run["score"], color=mark.colour, linewidth=0.5, alpha=0.35, zorder=2, gid="fold")
        best = run[run["epoch"] == run["best_epoch"]]
        axes.plot(best["epoch"], best["score"], **mark.points(2.5, zorder=4, markeredgewidth=0.6, gid="best"))
    mean = mean_curve(runs)
    axes.plot(mean.index, mean, color=mark.colour, linewidth=1.5, zorder=3, gid="mean")
    axes.plot([], [], **mark.points(4) | {"linestyle": "-", "linewidth": 1.5}, label=label)
