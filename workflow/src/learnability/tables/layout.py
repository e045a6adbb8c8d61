"""A table as text before it has a format: heads, sections of blocks of rows, and numbers as the paper prints them."""

import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..storage.contracts import SCORES

MISSING = "–"
SCORE_HEADS = {"balanced_accuracy": "bACC", "auc": "AUC", "mcc": "MCC"}
SPACE_HEADS = {"image": "IS", "reconstruction": "RS", "latent": "LS"}
SCORES_IN_WORDS = {
    "balanced_accuracy": "balanced accuracy (bACC)",
    "auc": "AUC",
    "mcc": "Matthews correlation coefficient (MCC)",
}
Block = tuple[str, list[list[str]]]


class Best(str):
    """A cell in bold: the best of those that it is compared with."""


@dataclass(frozen=True)
class Layout:
    """One table as unescaped text: each spanner has a name and the heads below it, rules part the sections.

    Stubs are columns of words; with `widths`, one per stub in parts of the line, they hold sentences that are broken.
    """

    title: str
    caption: str
    stubs: list[str]
    spanners: list[tuple[str, list[str]]]
    sections: list[list[Block]]
    footnotes: list[str]
    widths: tuple[float, ...] = ()


def flat(section: list[Block]) -> list[list[str]]:
    """The rows of a section for formats without spanning rows: a name stands in its block's first row."""
    return [["" if i else name, *row] for name, rows in section for i, row in enumerate(rows)]


def number(*shown: float, decimals: int = 3) -> str:
    """A score as '.924', and with its spread as '.924 ± .012'."""
    # Adding 0.0 turns the negative zero of a rounded -0.0001 into zero.
    texts = ["∞" if np.isinf(value) else f"{round(value, decimals) + 0.0:.{decimals}f}" for value in shown]
    return " ± ".join(re.sub(r"^(-?)0\.", r"\1.", text) for text in texts)


def score(value: float, decimals: int = 2) -> str:
    """A score or correlation of any sign as '.52' or '−.07'."""
    return number(value, decimals=decimals).replace("-", "−")


def points(value: float, decimals: int = 1) -> str:
    """A difference of scores in points of a hundred, as '3.1' or '−3.1'."""
    return f"{round(100 * value, decimals) + 0.0:.{decimals}f}".replace("-", "−")


def whole_points(value: float) -> str:
    """The same as the paper and settings print it, without zeros at the end: '18', '27.8'."""
    return f"{100 * value:.3g}"


def cell_text(cell: dict | None, with_sd: bool = True) -> str:
    """The mean of a cell, with the sd where it is wanted and more than one fold gives a spread to show."""
    if cell is None:
        return MISSING
    return number(cell["mean"], cell["sd"]) if with_sd and cell["n_folds"] > 1 else number(cell["mean"])


def best_of(values: dict[Hashable, float], decimals: int = 3, lowest: bool = False) -> set[Hashable]:
    """Keys of the best value as it is printed; without two values to compare, none."""
    printed = {key: round(-value if lowest else value, decimals) for key, value in values.items()}
    return {key for key, value in printed.items() if value == max(printed.values())} if len(printed) > 1 else set()


def best_cells(rows: pd.DataFrame, by: list[str], key: list[str], decimals: int = 3) -> set[tuple]:
    """The `key` of the row with the best mean of each group that is alike in `by`."""
    found = set()
    for _, group in rows.groupby(by):
        found |= best_of(dict(zip(group[key].itertuples(index=False, name=None), group["mean"], strict=True)), decimals)
    return found


def amount(value: float) -> str:
    """Samples per second, megabytes, ratios: three digits or whole, as '50.3' or '3,200'."""
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.3g}"


def values_over_folds(table: pd.DataFrame, with_sd: bool = True) -> str:
    """What a caption says of the numbers of a table."""
    folds = table["n_folds"].max()
    return f"{'mean ± sd' if with_sd else 'mean'} over {folds} folds" if folds > 1 else "one fold"


def scores_over_folds(table: pd.DataFrame, with_sd: bool = True, metrics: Iterable[str] = SCORES) -> str:
    """What a caption says of a table's scores."""
    return f"{listed([SCORES_IN_WORDS[metric] for metric in metrics])}, {values_over_folds(table, with_sd)}"


def device_in_words(device: str) -> str:
    """'Xeon, 1 thread' for 'Xeon, 1 thread(s)', as Table 3 records a CPU."""
    return re.sub(r"\b1 thread\(s\)", "1 thread", device).replace("(s)", "s")


def listed(words: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
