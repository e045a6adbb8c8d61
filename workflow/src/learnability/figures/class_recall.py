"""Recall of every class in the three spaces, from head to tail: what the gap does to rare diagnoses."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..tables.labels import Labels, autoencoders_of, datasets_of
from .style import FAINT, SPACES, WIDTH, add_legend, add_note, styled

LINE = 0.19  # inches per class
HEAD = 2.6  # lines that a panel's title and axis take
RUN = ["dataset", "autoencoder", "role", "space", "fold"]
OFFSETS = {"image": 0.0, "latent": 0.27, "reconstruction": -0.27}  # lines from its own, of the single autoencoders


def recall_of(predictions: pd.DataFrame, classes: list[str]) -> dict[str, float]:
    """Recall on the test rows of every class that has any there, by name; their mean is balanced accuracy."""
    test = predictions[predictions["split"] == "test"]
    label, predicted = test["label"].to_numpy(), test[classes].to_numpy().argmax(axis=1)
    return {name: float(np.mean(predicted[label == k] == k)) for k, name in enumerate(classes) if (label == k).any()}


def recall_frame(runs: Iterable[tuple[dict, pd.DataFrame]], cards: dict[str, dict]) -> pd.DataFrame:
    """dataset, autoencoder, role, space, fold, class_name, recall of runs given as (metrics, predictions)."""
    rows = []
    for run, predictions in runs:
        recall = recall_of(predictions, cards[run["dataset"]]["classes"])
        rows += [(*(run[key] for key in RUN), name, value) for name, value in recall.items()]
    return pd.DataFrame(rows, columns=[*RUN, "class_name", "recall"])


def head_to_tail(card: dict) -> list[str]:
    """The classes by the number of their images, the most frequent first; ties in the card's order."""
    return sorted(card["classes"], key=lambda name: -card["counts"][name])


def means_of(recall: pd.DataFrame) -> pd.DataFrame:
    """Mean recall over folds of every dataset, autoencoder, role, space and class."""
    key = ["dataset", "autoencoder", "role", "space", "class_name"]
    return recall.sort_values("fold").groupby(key, sort=False)["recall"].mean().reset_index()


def not_in_every(recall: pd.DataFrame) -> list[str]:
    """The classes whose recall is over fewer folds than that of others of their dataset."""
    folds = recall.groupby(["dataset", "class_name"], sort=False)["fold"].nunique()
    fewer = folds < folds.groupby("dataset").transform("max")
    return list(dict.fromkeys(folds[fewer].index.get_level_values("class_name")))


@styled
def draw_class_recall(recall: pd.DataFrame, cards: dict[str, dict], labels: Labels) -> Figure:
    """A panel per dataset and a line per class; the mean over autoencoders, each of them as a small mark.

    The autoencoders are the families, or the controls where a study has no family.
    """
    datasets = datasets_of(recall, labels)
    families, controls = autoencoders_of(recall, labels)
    shown = families or controls
    means = means_of(recall[recall["autoencoder"].isin(["original", *shown])])
    figure, grid = class_panels([len(cards[name]["classes"]) for name in datasets])
    for axes, (dataset, label) in zip(grid, datasets.items(), strict=True):
        axes.set_title(label, loc="left")
        draw_classes(axes, means[means["dataset"] == dataset], cards[dataset])
    add_legend(figure, grid)
    add_note(figure, sentences(recall, shown), labels, datasets)
    return figure


def class_panels(classes: list[int]) -> tuple[Figure, list[Axes]]:
    """Panels of so many classes, all lines equally high, in two columns of about the same height."""
    heights = [number + HEAD for number in classes]
    columns = balanced(heights)
    tallest = max(sum(heights[i] for i in column) for column in columns)
    figure = Figure(figsize=(WIDTH if len(columns) > 1 else 4.6, 0.3 + LINE * tallest), layout="constrained")
    grid, outer = {}, figure.add_gridspec(1, len(columns))
    for place, column in zip(outer, columns, strict=True):
        below = tallest - sum(heights[i] for i in column)
        rows = [*(classes[i] for i in column), *([below] if below > 1 else [])]
        for i, row in zip(column, place.subgridspec(len(rows), 1, height_ratios=rows), strict=False):
            grid[i] = figure.add_subplot(row)
    for column in columns:
        grid[column[-1]].set_xlabel("recall")
    return figure, [grid[i] for i in range(len(classes))]


def balanced(heights: list[float]) -> list[list[int]]:
    """Indices in at most two columns, each in order, the first index in the first: the tallest goes where room is."""
    columns: list[list[int]] = [[], []]
    for i in sorted(range(len(heights)), key=lambda i: -heights[i]):
        min(columns, key=lambda column: sum(heights[k] for k in column)).append(i)
    return sorted(sorted(column) for column in columns if column)


def draw_classes(axes: Axes, means: pd.DataFrame, card: dict) -> None:
    """One line per class, from head to tail: each space's mean, and between latent and reconstruction the gap."""
    classes = head_to_tail(card)
    place = {name: i for i, name in enumerate(classes)}
    over_autoencoders = means.groupby(["space", "class_name"], sort=False)["recall"].mean().unstack("class_name")
    over_autoencoders = over_autoencoders.reindex(columns=classes)
    if {"latent", "reconstruction"} <= set(over_autoencoders.index):
        ends = over_autoencoders.loc[["latent", "reconstruction"]].to_numpy()
        axes.plot(ends, [[*place.values()]] * 2, color=FAINT, linewidth=2.2, solid_capstyle="butt", zorder=1)
    for space, mark in SPACES.items():
        if space not in over_autoencoders.index:
            continue
        # An open circle on top hides nothing of what lies below it.
        style = mark.points(5, zorder=4) if mark.filled else mark.points(5.5, zorder=5, markerfacecolor="none")
        single = means[means["space"] == space]
        if single["autoencoder"].nunique() > 1:
            heights = single["class_name"].map(place) + OFFSETS[space]
            axes.plot(single["recall"], heights, **mark.points(2.6, alpha=0.6, markeredgewidth=0, zorder=2))
        axes.plot(over_autoencoders.loc[space], range(len(classes)), **style, label=space, gid=space)
    axes.set_yticks(range(len(classes)), [f"{name} ({card['counts'][name]:,})" for name in classes])
    axes.set_ylim(len(classes) - 0.4, -0.6)
    axes.set_xlim(-0.03, 1.03)
    axes.tick_params(axis="y", length=0)


def sentences(recall: pd.DataFrame, shown: dict[str, str]) -> list[str]:
    """What the note says of this study's classes."""
    said = [f"Autoencoders: {', '.join(shown.values())}."] if shown else []
    said += [f"Not in the test rows of every fold: {', '.join(lacking)}."] if (lacking := not_in_every(recall)) else []
    return said
