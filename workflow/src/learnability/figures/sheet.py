"""The grid of pictures of Figure 3: square cells of one size, blocks of columns, pairs of rows; inches throughout."""

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from .style import LETTERS, SMALL, WIDTH

COLOURS = "inferno"  # of differences: its lightness rises with them
LEFT, TITLE, LINE, BAR = 0.95, 0.27, 0.12, 0.46
GAP, BETWEEN_BLOCKS, BETWEEN_PAIRS, LARGEST = 0.03, 0.12, 0.07, 1.3
NARROWEST = 4.6


class Sheet:
    """A figure with a column for each head of each block, in `rows` rows: one, then pairs."""

    def __init__(self, heads: list[list[str]], rows: int):
        columns = [len(block) for block in heads]
        self.columns, self.rows = columns, rows
        gaps = GAP * (sum(columns) - len(columns)) + BETWEEN_BLOCKS * (len(columns) - 1)
        self.cell = min(LARGEST, (WIDTH - LEFT - 0.05 - gaps) / sum(columns))
        self.width = max(NARROWEST, LEFT + 0.05 + gaps + self.cell * sum(columns))
        self.heads = [[in_lines(head, int(self.cell * LETTERS)) for head in block] for block in heads]
        self.top = TITLE + LINE * (1 + max(head.count("\n") for block in self.heads for head in block))
        self.height = self.top + self.top_of(rows) + BAR
        self.figure = Figure(figsize=(self.width, self.height))

    def left_of(self, block: int, column: int) -> float:
        before = sum(self.columns[:block])
        return LEFT + (before + column) * (self.cell + GAP) + block * (BETWEEN_BLOCKS - GAP)

    def top_of(self, row: int) -> float:
        """How far the row is below the first."""
        return row * (self.cell + GAP) + (row + 1) // 2 * (BETWEEN_PAIRS - GAP)

    def image(self, block: int, column: int, row: int, pixels: np.ndarray, most: float | None = None) -> Axes:
        """Place a picture (s, s, 3), or a map (s, s) of values up to `most`."""
        bottom = self.height - self.top - self.top_of(row) - self.cell
        place = (self.left_of(block, column) / self.width, bottom / self.height)
        axes = self.figure.add_axes((*place, self.cell / self.width, self.cell / self.height))
        axes.imshow(pixels, cmap=COLOURS, vmin=0, vmax=most)
        axes.set_axis_off()
        if not row:
            axes.set_title(self.heads[block][column], fontsize=SMALL, fontweight="normal", pad=3)
        return axes

    def title(self, block: int, text: str) -> None:
        self.text(self.left_of(block, 0), 0.2, text, fontweight="bold", va="bottom")

    def row_names(self, names: dict[str, str]) -> None:
        """Name the first row, and every pair of rows."""
        self.text(0.05, self.top + self.cell / 2, "original", fontsize=SMALL)
        for i, name in enumerate(names.values()):
            top = self.top + self.top_of(1 + 2 * i)
            self.text(0.05, top + self.cell / 2, textwrap.fill(name, 15), fontweight="bold", fontsize=SMALL)
            below = top + self.cell + GAP + self.cell / 2
            self.text(0.05, below, "difference", fontsize=SMALL)

    def colour_bar(self, most: float) -> None:
        """The scale of the differences, below the pictures."""
        bottom = (BAR - 0.18) / self.height
        axes = self.figure.add_axes((LEFT / self.width, bottom, 1.8 / self.width, 0.08 / self.height))
        scale = ScalarMappable(Normalize(0, most), COLOURS)
        bar = self.figure.colorbar(scale, cax=axes, orientation="horizontal", extend="max")
        bar.outline.set_linewidth(0.5)
        below = self.top + self.top_of(self.rows) + 0.14
        self.text(LEFT + 1.9, below, "difference in grey levels (of 255)", fontsize=SMALL)

    def text(self, x: float, y: float, text: str, va: str = "center", **options) -> None:
        """Write at `x` from the left and `y` from the top."""
        self.figure.text(x / self.width, 1 - y / self.height, text, va=va, **options)


def in_lines(text: str, letters: int) -> str:
    """Text in lines of so many letters; longer words are parted."""
    words = [word if len(word) <= letters else f"{word[: letters - 1]}- {word[letters - 1 :]}" for word in text.split()]
    return textwrap.fill(" ".join(words), letters)
