"""The gap's LaTeX: a tabular without a float, narrow enough for one of two columns."""

import math
from collections.abc import Callable, Iterable, Sequence

from .latex import GAP, in_lines, latex_cell, opening, width_of

COLUMN = 8.4 / 2.54 * 72.27  # points
MOST = 4  # datasets side by side
STUB = 45  # points that the names of autoencoders have at least
LETTER = 4.6  # points of a letter of a name, on average, rounded up
HEAD = 9  # letters of a line of a dataset's name
Named = list[tuple[str, list]]  # label and cells of each autoencoder, one per dataset; labels may be equal


def narrow_tabular(
    heads: Sequence[str], sections: Sequence[Named], in_words: Callable[..., tuple[str, str]], said: Iterable[str]
) -> str:
    """A tabular in 7 points, 8.4 cm wide at most: intervals below their gaps, beyond four datasets in blocks.

    `in_words` gives gap and interval of a cell, the ends with so many decimals: one where it fits, else none. `said`
    are comments: what a caption has to say.
    """
    size, decimals, room = _fitting(heads, sections, in_words)
    parts = [range(start, min(start + size, len(heads))) for start in range(0, len(heads), size)]
    lines = ["% \\usepackage{booktabs}", *(f"% {' '.join(text.split())}" for text in said), opening()]
    lines += [rf"\begin{{tabular}}{{@{{}}l{'c' * size}@{{}}}}", r"\toprule"]
    for number, part in enumerate(parts):
        lines += [r"\midrule", r"\addlinespace"] if number else []
        lines += _stacked([], [in_lines(heads[i], HEAD) for i in part], size, last=True)
        for cells in sections:
            lines.append(r"\midrule")
            for name, row in cells:
                shown = [[text for text in dict.fromkeys(in_words(row[i], decimals)) if text] for i in part]
                lines += [*_stacked(in_lines(name, int(room / LETTER)), shown, size), r"\addlinespace[2pt]"]
            lines.pop()
    return "\n".join([*lines, "\\bottomrule\n\\end{tabular}}%\n"])


def _fitting(
    heads: Sequence[str], sections: Sequence[Named], in_words: Callable[..., tuple[str, str]]
) -> tuple[int, int, float]:
    """How many datasets stand side by side, decimals of the intervals, and points that are left for the names."""
    rows = [row for cells in sections for _, row in cells]
    names, count = [line for head in heads for line in in_lines(head, HEAD)], max(len(heads), 1)
    for most in range(min(MOST, count), 0, -1):
        size = math.ceil(count / math.ceil(count / most))
        for decimals in (1, 0):
            texts = [*names, *(text for row in rows for cell in row for text in in_words(cell, decimals))]
            room = COLUMN - GAP - size * (2 * GAP + max(map(width_of, texts), default=0))
            if room >= STUB:
                return size, decimals, room
    return 1, 0, STUB


def _stacked(name: Sequence[str], cells: Sequence[Sequence[str]], size: int, last: bool = False) -> list[str]:
    """The lines of one row whose cells have several; `last` sets short cells at the bottom."""
    columns = [name, *cells]
    tall = max(map(len, columns))
    filled = [[""] * (tall - len(column)) * last + [*column] + [""] * (tall - len(column)) for column in columns]
    filled += [[""] * tall] * (size - len(cells))
    return [" & ".join(latex_cell(column[i]) for column in filled) + r" \\" for i in range(tall)]
