"""Balanced accuracy of the noise-conditioned classifiers over the noise level of their input."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import InputError
from ..tables.labels import Labels, datasets_of, present
from .style import LETTERS, LINES, Mark, add_legend, add_note, dataset_panels, draw_chance, marks_of, styled

BESIDE = 0.45  # inches of a panel that its y axis and the gap to the next one take at most


def summary_of(curves: pd.DataFrame) -> pd.DataFrame:
    """Mean, low and high of balanced accuracy over folds, per dataset, autoencoder, recipe and sigma."""
    key = ["dataset", "autoencoder", "recipe", "sigma"]
    over_folds = curves.sort_values("fold").groupby(key, sort=False)["balanced_accuracy"]
    return over_folds.agg(mean="mean", low="min", high="max").reset_index().sort_values("sigma", kind="stable")


def places_of(sigma: np.ndarray) -> tuple[np.ndarray, float]:
    """Positions on a logarithmic axis; σ = 0 has none and is put a step and a half before the lowest level."""
    levels = np.unique(sigma[sigma > 0])
    step = levels[1] / levels[0] if len(levels) > 1 else 2.0
    clean = levels[0] / step**1.5 if len(levels) else 1.0
    return np.where(sigma > 0, sigma, clean), clean


@styled
def draw_noise_levels(curves: pd.DataFrame, roles: dict[str, str], chance: dict[str, float], labels: Labels) -> Figure:
    """A panel per dataset; a line per autoencoder and recipe: mean over folds, and the range of the folds.

    `curves` are the rows of all noise_curve.parquet files; `roles` of the autoencoders, `chance` by dataset: the
    balanced accuracy of guessing. InputError if there is no curve.
    """
    if curves.empty:
        raise InputError("no run of study.recipes.table4 was trained with noise, so there is no curve to draw")
    datasets, recipes = datasets_of(curves, labels), present(curves["recipe"], labels.rows)
    autoencoders = present(curves["autoencoder"], labels.autoencoders)
    marks = marks_of(labels, {"autoencoder": roles, "role": roles.values()})
    figure, grid = dataset_panels(datasets, 4, 2.2, "noise level σ", "balanced accuracy", sharex=True)
    width = figure.get_figwidth() / min(4, len(datasets))
    summary = summary_of(curves)
    for dataset, axes in grid.items():
        for place, recipe in enumerate(recipes):
            for name in autoencoders:
                chosen = summary[["dataset", "autoencoder", "recipe"]] == [dataset, name, recipe]
                curve = summary[chosen.all(axis=1)]
                if len(curve):
                    shown = f"{autoencoders[name]}, {recipes[recipe]}"
                    draw_curve(axes, curve, marks[name], LINES[place % len(LINES)], shown)
        draw_chance(axes, chance[dataset])
        draw_axis(axes, summary["sigma"].to_numpy(), width - BESIDE)
    add_legend(figure, grid.values())
    add_note(figure, [], labels, datasets)
    return figure


def draw_curve(axes: Axes, curve: pd.DataFrame, mark: Mark, line: str, label: str) -> None:
    """Mean and range over the noise levels; clean latents stand apart, at the left."""
    place, _ = places_of(curve["sigma"].to_numpy())
    noisy = (curve["sigma"] > 0).to_numpy()
    axes.vlines(place[~noisy], curve["low"][~noisy], curve["high"][~noisy], color=mark.colour, linewidth=3, alpha=0.2)
    low, high = curve["low"][noisy], curve["high"][noisy]
    axes.fill_between(place[noisy], low, high, color=mark.colour, alpha=0.15, linewidth=0)
    axes.plot(place[~noisy], curve["mean"][~noisy], **mark.points(4.5, gid="clean"))
    style = mark.points(3) | {"linestyle": line}
    axes.plot(place[noisy], curve["mean"][noisy], **style, label=label, gid="mean")


def draw_axis(axes: Axes, sigma: np.ndarray, width: float) -> None:
    """A logarithmic axis, `width` inches long, that begins with a place for clean latents."""
    _, clean = places_of(sigma)
    axes.set_xscale("log")
    powers = [10.0**k for k in range(-6, 7) if (sigma > 0).any() and sigma[sigma > 0].min() <= 10.0**k <= sigma.max()]
    margins = 1 + 2 * axes.margins()[0]
    decade = width / (margins * np.log10(max(sigma.max() / clean, 10)))
    axes.set_xticks([clean, *powers], ["clean", *labels_of_powers(clean, powers, decade)])
    axes.minorticks_off()
    if (sigma > 0).any():
        axes.axvline((clean * sigma[sigma > 0].min()) ** 0.5, color="#e4e4e4", linewidth=3)


def labels_of_powers(clean: float, powers: list[float], decade: float) -> list[str]:
    """A label for each power, or "" where it would touch that of a higher one or `clean`; `decade` is in inches."""
    shown = {clean: "clean"}
    for power in reversed(powers):
        label = f"{power:g}"
        needed = {other: (len(label) + len(text) + 1) / 2 / LETTERS for other, text in shown.items()}
        if all(abs(np.log10(power / other)) * decade > room for other, room in needed.items()):
            shown[power] = label
    return [shown.get(power, "") for power in powers]
