"""A laid-out table as LaTeX, in 7 points: columns that do not fit the text width continue in a block below."""

import re
from collections.abc import Iterable, Sequence

from .layout import Best, Layout, flat

# A bracket or a star that starts a row would be taken as an argument of the "\\" before it.
LATEX_ESCAPES = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "[": "{[}", "*": "{*}"}
    | {"±": r"$\pm$", "∞": r"$\infty$", "×": r"$\times$", "≤": r"$\leq$", "≥": r"$\geq$"}
    | {
        "–": "--",
        "−": "$-$",
        "†": r"$\dagger$",
        "‡": r"$\ddagger$",
        "⋆": r"$\star$",
        "⋄": r"$\diamond$",
        "≈": r"$\approx$",
        "ρ": r"$\rho$",
    }
)

TEXT = 12.2 / 2.54 * 72.27  # points, the text of an LNCS page
GAP = 2  # points at either side of a column
BOLD = 1.17  # how much wider bold print is
# Points of the characters of Computer Modern at 7 points, by the widest of each group; other fonts are narrower.
WIDTHS = {
    character: width
    for width, characters in (
        (2.3, "!',.:;[]`il|"),
        (2.9, "-fjI_"),
        (3.2, "()rts"),
        (4.0, '0123456789"$*/^aczegoe?~–‡†⋆⋄'),
        (4.5, "bdhnpuqkvxySJ{}\\"),
        (7.2, "mM%#"),
        (8.1, "W∞"),
    )
    for character in characters
} | {" ": 2.7}
OTHER = 6.3  # points of a character that is not among them


def as_latex(layout: Layout) -> str:
    """A table float that needs the package booktabs and nothing else, as wide as the text of an LNCS page at most."""
    lines = [
        "% \\usepackage{booktabs}\n\\begin{table}[t]\n\\centering",
        rf"\caption{{{latex_text(layout.caption)}}}",
        rf"\label{{tab:{layout.title.lower().replace(' ', '')}}}",
        r"\par\smallskip" + opening(),
        *(_sentences(layout) if layout.widths or not layout.spanners else _numbers(layout)),
        r"\bottomrule" + "\n" + r"\end{tabular}}",
        *(rf"\par\smallskip{{\small {latex_text(note)}\par}}" for note in layout.footnotes),
        "\\end{table}\n",
    ]
    return "\n".join(lines)


def opening() -> str:
    """What begins the group of a tabular: its size and the room between its columns."""
    return rf"{{\fontsize{{7}}{{8.4}}\selectfont\setlength{{\tabcolsep}}{{{GAP}pt}}%"


def width_of(text: str) -> float:
    """Points that a cell takes at most."""
    shown = text.replace(" ± ", "±")
    return sum(WIDTHS.get(character, OTHER) for character in shown) * (BOLD if isinstance(text, Best) else 1)


def _sentences(layout: Layout) -> list[str]:
    """Columns of words, which are broken where `widths` say how wide they are."""
    columns = [rf"p{{\dimexpr {width:g}\linewidth-2\tabcolsep\relax}}" for width in layout.widths]
    sections = ["\n".join(_row(row, layout) for row in flat(section)) for section in layout.sections if section]
    return [
        rf"\begin{{tabular}}{{{''.join(columns) or 'l' * len(layout.stubs)}}}",
        "\\toprule",
        _row(layout.stubs, layout) + "\n\\midrule",
        "\n\\midrule\n".join(sections),
    ]


def _numbers(layout: Layout) -> list[str]:
    """Spanned columns of numbers; those beyond the text's width stand in a further block, under the same stubs."""
    blocks = _blocks(layout)
    most = max(sum(len(layout.spanners[i][1]) for i in block) for block in blocks)
    lines = [rf"\begin{{tabular}}{{{'l' * len(layout.stubs)}{'c' * most}}}", "\\toprule"]
    for number, block in enumerate(blocks):
        lines += [r"\midrule", r"\addlinespace"] if number else []
        lines += _block(layout, block, most)
    return lines


def _block(layout: Layout, chosen: Sequence[int], most: int) -> list[str]:
    """Heads and rows of these spanners, filled up to `most` columns."""
    stubs = len(layout.stubs)
    spanners, rules, first = [""] * stubs, "", stubs + 1
    for name, below in (layout.spanners[i] for i in chosen):
        spanners.append(rf"\multicolumn{{{len(below)}}}{{c}}{{{latex_text(name)}}}")
        rules += rf"\cmidrule(lr){{{first}-{first + len(below) - 1}}}"
        first += len(below)
    starts, columns = _starts(layout), [*range(stubs)]
    for i in chosen:
        columns += range(starts[i], starts[i + 1])
    blank = [""] * (stubs + most - len(columns))
    heads = [*layout.stubs, *(head for _, below in layout.spanners for head in below)]

    def row(cells: list[str]) -> str:
        return _row([*(cells[column] for column in columns), *blank], layout)

    sections = ["\n".join(map(row, flat(section))) for section in layout.sections if section]
    return [
        " & ".join([*spanners, *blank]) + r" \\",
        rules,
        row(heads) + "\n\\midrule",
        "\n\\midrule\n".join(sections),
    ]


def _starts(layout: Layout) -> list[int]:
    """The column that each spanner begins with, and at last how many columns there are."""
    starts = [len(layout.stubs)]
    for _, below in layout.spanners:
        starts.append(starts[-1] + len(below))
    return starts


def _blocks(layout: Layout) -> list[list[int]]:
    """The spanners, by number, that stand side by side."""
    heads = [*layout.stubs, *(head for _, below in layout.spanners for head in below)]
    rows = [heads, *(row for section in layout.sections for row in flat(section))]
    widths = [2 * GAP + max(map(width_of, column)) for column in zip(*rows, strict=True)]
    starts, room = _starts(layout), TEXT - sum(widths[: len(layout.stubs)])
    blocks: list[list[int]] = []
    left = 0.0
    for i, (name, _) in enumerate(layout.spanners):
        wide = max(sum(widths[starts[i] : starts[i + 1]]), width_of(name) + 2 * GAP)
        if wide > left or not blocks:
            blocks, left = [*blocks, []], room
        blocks[-1].append(i)
        left -= wide
    return blocks


def _row(cells: Iterable[str], layout: Layout) -> str:
    row = [latex_cell(cell) for cell in cells]
    # A group of its own, because ragged right gives the "\\" of the row another meaning.
    row[: len(layout.widths)] = [rf"{{\raggedright {cell}\par}}" for cell in row[: len(layout.widths)]]
    return " & ".join(row) + r" \\"


def latex_cell(cell: str) -> str:
    """A number's minus is set as one, and ± loses its spaces so that the row stays narrow."""
    shown = re.sub(r"^-(?=[.\d])", "$-$", latex_text(cell)).replace(r" $\pm$ ", r"$\pm$")
    return rf"\textbf{{{shown}}}" if isinstance(cell, Best) else shown


def latex_text(text: str) -> str:
    return text.translate(LATEX_ESCAPES)
