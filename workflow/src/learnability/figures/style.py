"""How every figure looks: one colour and one marker per autoencoder and space, print sizes, the same bytes twice."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..storage.whole_files import written_whole
from ..tables.labels import Labels, notice

WIDTH = 7.0  # inches, of a page's text
NARROW = 4.2  # inches: at the width of a telephone its letters are as large as the page's
DPI = 200  # of the PNG, and of what an SVG holds as pixels
SMALL = 7  # points; nothing is printed smaller
LETTERS = 72 / (SMALL * 0.53)  # of that size in an inch, on average
QUIET, FAINT = "#555555", "#bbbbbb"
LINES = ["-", "--", ":", "-."]  # of what shares a colour, in order
DOTTED, DASHED = (0, (1, 1.5)), (0, (4, 2))
RC = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "axes.labelsize": 8,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "legend.handlelength": 2.4,
    "legend.borderaxespad": 0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.5,
    "text.parse_math": False,  # a label may have a dollar sign
    "svg.fonttype": "none",  # words stay words: a reader can search and a journal can edit them
    "svg.hashsalt": "learnability",  # else the names inside an SVG differ every time
    "savefig.dpi": DPI,
}
# A decorator: the style is in force while a figure is made, and nothing of it stays.
styled = matplotlib.style.context(["default", RC])


class Mark(NamedTuple):
    """How one autoencoder or space is drawn; controls have open markers."""

    colour: str
    marker: str
    filled: bool = True

    def points(self, size: float, **more) -> dict:
        """What `Axes.plot` needs to draw markers of this size without a line."""
        face = self.colour if self.filled else "white"
        own = {"marker": self.marker, "markersize": size, "linestyle": "none", "color": self.colour}
        return own | {"markerfacecolor": face, "markeredgecolor": self.colour, "markeredgewidth": 0.9} | more


# Distinct in pairs for all three kinds of colour blindness, on paper in grey by their markers.
PALETTE = ["#e69f00", "#332288", "#009e73", "#cc79a7", "#56b4e9", "#882255", "#999933", "#8c510a"]
GREYS = ["#4d4d4d", "#808080", "#a0a0a0"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]
SPACES = {
    "image": Mark("#000000", "o", filled=False),
    "latent": Mark("#d55e00", "s"),
    "reconstruction": Mark("#0072b2", "^"),
}


def marks_of(labels: Labels, rows: Mapping[str, Iterable[str]]) -> dict[str, Mark]:
    """The mark of every `autoencoder` in a table with its `role`, by its place in the study: alike in all figures."""
    places = {name: place for place, name in enumerate(labels.autoencoders)}
    marks = {}
    for name, role in dict(zip(rows["autoencoder"], rows["role"], strict=True)).items():
        if role == "baseline":
            marks[name] = SPACES["image"]
            continue
        colours = GREYS if role == "control" else PALETTE
        place = places[name]
        marks[name] = Mark(colours[place % len(colours)], MARKERS[place % len(MARKERS)], filled=role != "control")
    return marks


def panels(number: int, columns: int, width: float, height: float, **options) -> tuple[Figure, list[Axes]]:
    """A figure of `number` panels in rows of `columns`, each of so many inches; panels share the y axis."""
    columns = min(columns, number)
    rows = math.ceil(number / columns)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options).ravel()
    for left_over in axes[number:]:
        left_over.remove()
    for lowest in axes[:number][-columns:]:  # of their column; a shared axis is labelled in the last row alone
        lowest.tick_params(axis="x", labelbottom=True)
    return figure, list(axes[:number])


def dataset_panels(
    datasets: Mapping[str, str], most: int, height: float, across: str, up: str, width: float = 0.0, **options
) -> tuple[Figure, dict[str, Axes]]:
    """A figure with a panel per dataset, by its name: `most` side by side, the axes named at the edges alone.

    A figure of no dataset has one empty panel.
    """
    columns = min(most, max(len(datasets), 1))
    each = (width or width_of(columns)) / columns
    figure, grid = panels(max(len(datasets), 1), columns, each, height, sharey=True, **options)
    for axes in grid[-columns:]:
        axes.set_xlabel(across)
    for axes in grid[::columns]:
        axes.set_ylabel(up)
    for axes, label in zip(grid, datasets.values(), strict=False):
        axes.set_title(label, loc="left")
    return figure, dict(zip(datasets, grid, strict=False))


def draw_chance(axes: Axes, score: float) -> None:
    """The score of guessing."""
    axes.axhline(score, color=QUIET, linewidth=0.9, linestyle=DOTTED, label="chance", gid="chance")


def width_of(columns: int) -> float:
    """Inches of a figure with so many panels side by side: the page's width from three on."""
    return {1: 4.6, 2: 6.0}.get(columns, WIDTH)


def add_legend(figure: Figure, grid: Iterable[Axes], columns: int = 3) -> None:
    """One legend above all panels: every label once, in the order of appearance."""
    handles = {}
    for axes in grid:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if handles:
        figure.legend(handles.values(), handles.keys(), loc="outside upper left", ncols=columns)


def add_note(figure: Figure, sentences: Iterable[str], labels: Labels, datasets: Iterable[str]) -> None:
    """What a caption says of this very figure, as the figure's label: `save` writes it into the files, unseen.

    Synthetic data is called so.
    """
    figure.set_label((" ".join(sentences) + notice(datasets, labels)).strip())


def save(figure: Figure, svg: str | Path, png: str | Path) -> None:
    """Write both files, whole or not at all; without dates, so that the same figure is the same bytes.

    The figure's label, its note, is their description.
    """
    note = figure.get_label()
    with matplotlib.style.context(["default", RC]):
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # laid out once, for both files
        written = ((svg, {"format": "svg", "metadata": {"Date": None, "Description": note}}),
                   (png, {"format": "png", "metadata": {"Description": note}}))  # fmt: skip
        for path, options in written:
            with written_whole(path) as temporary:
                figure.savefig(temporary, **options)
