"""How the power of latents lies over spatial frequencies, beside that of the images on the same grid."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from ..significance.diagnostics import BASELINE, IMAGES
from ..tables.labels import Labels, autoencoders_of, datasets_of
from .style import LINES, NARROW, SPACES, Mark, add_legend, add_note, dataset_panels, marks_of, styled


@styled
def draw_spectra(spectra: pd.DataFrame, labels: Labels) -> Figure:
    """A panel per dataset, both axes logarithmic: a line per autoencoder, controls dashed, images black.

    `spectra` are rows of significance.diagnostics.read_spectra; power sums to 1 over the frequencies of a line. The
    frequency 0 has no place on the axis and is left out.
    """
    spectra = spectra[(spectra["frequency"] > 0) & (spectra["power"] > 0)]
    datasets = datasets_of(spectra, labels)
    marks = marks_of(labels, spectra)
    families, controls = autoencoders_of(spectra, labels)
    grids = sorted(spectra.loc[spectra["role"] == BASELINE, "factor"].unique())
    named = "frequency (cycles per cell)", "share of power"
    figure, grid = dataset_panels(datasets, 2, 2.1, *named, width=NARROW, sharex=True)
    for dataset, axes in grid.items():
        own = spectra[spectra["dataset"] == dataset]
        for place, factor in enumerate(grids):
            name = f"images, 1/{factor}" if len(grids) > 1 else "images"
            images = own[(own["autoencoder"] == IMAGES) & (own["factor"] == factor)]
            draw_line(axes, images, SPACES["image"], LINES[place % len(LINES)], name)
        for name, shown in (families | controls).items():
            line = "--" if name in controls else "-"
            draw_line(axes, own[own["autoencoder"] == name], marks[name], line, shown)
    draw_axes(figure.axes, spectra)
    add_legend(figure, figure.axes, columns=2)
    add_note(figure, [], labels, datasets)
    return figure


def draw_line(axes: Axes, own: pd.DataFrame, mark: Mark, line: str, label: str) -> None:
    if len(own):
        own = own.sort_values("frequency")
        axes.plot(own["frequency"], own["power"], color=mark.colour, linestyle=line, label=label, gid=label)


def draw_axes(grid: list[Axes], spectra: pd.DataFrame) -> None:
    """Logarithmic axes that all panels share, with the frequencies that a reader knows."""
    first = grid[0]
    first.set_xscale("log")
    first.set_yscale("log")
    low = float(spectra["frequency"].min()) if len(spectra) else 0.1
    known = [frequency for frequency in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if frequency >= 0.95 * low]
    for axes in grid:
        axes.set_xticks(known, [f"{frequency:g}".removeprefix("0") for frequency in known])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_locator(LogLocator(numticks=6))
        axes.yaxis.set_major_formatter(lambda value, _: power_of_ten(value))
        axes.minorticks_off()


def power_of_ten(value: float) -> str:
    """'.1', '.001', '10⁻⁵'."""
    exponent = round(np.log10(value))
    if -3 <= exponent <= 0:
        return f"{10.0**exponent:g}".removeprefix("0") if exponent else "1"
    return "10" + f"{exponent}".translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
