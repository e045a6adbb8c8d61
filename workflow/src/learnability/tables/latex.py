"""A laid-out table as LaTeX, in 7 points: columns that do not fit the text width continue in a block below."""

import math
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import replace

from .layout import Best, Block, Layout, flat

# A bracket or a star that starts a row would be taken as an argument of the "\\" before it.
LATEX_ESCAPES = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "[": "{[}", "*": "{*}"}
    | {"±": r"$\pm$", "∞": r"$\infty$", "×": r"$\times$", "≤": r"$\leq$", "≥": r"$\geq$"}
    | {"†": r"$\dagger$", "‡": r"$\ddagger$", "⋆": r"$\star$", "⋄": r"$\diamond$", "≈": r"$\approx$"}
    | {"–": "--", "−": "$-$", "ρ": r"$\rho$"}
)

NEGATIVE = re.compile(r"^-(?=[.\d])")  # the minus of a number
SIZE = r"\fontsize{7}{8.4}\selectfont"
TEXT = 12.2 / 2.54 * 72.27  # points, the text of an LNCS page
GAP, WIDE_GAP = 2, 3  # points at either side of a column, of numbers and of sentences
PAGE = 50  # lines of a table, which leaves room for a caption and notes
HEAD_LINES = 4  # lines that the heads and rules of a block of numbers take
RAGGED = 1.15  # how much longer text is that is broken between words
BOLD = 1.14  # how much wider bold digits are
# Points of the characters of Computer Modern at 7 points, by the widest of each group; other fonts are narrower.
WIDTHS = {
    character: width
    for width, characters in (
        (2.3, "!',.;[]`il|"),
        (2.9, "-fjI_"),
        (3.2, "():rts"),
        (3.6, "cez"),
        (4.0, '0123456789"$*/^ago?~–‡†⋆⋄'),
        (4.5, "bdhnpuqkvxySJ{}\\"),
        (5.4, "EFLPZ"),
        (6.0, "ABCHNRTUVXYw"),
        (7.2, "mM%#"),
        (8.1, "W∞"),
    )
    for character in characters
} | {" ": 2.7}
OTHER = 6.3  # points of a character that is not among them


def as_latex(layout: Layout) -> str:
    """A table float that needs the package booktabs and nothing else, as wide as the text of an LNCS page at most.

    What is longer than a page continues in further floats, each with its notes.
    """
    first, *others = (_pages if layout.widths else _pages_of_numbers)(layout)
    more = f"{layout.caption.split('.')[0]} (continued)."
    others = [replace(page, title=f"{page.title}-{i}", caption=more) for i, page in enumerate(others, 2)]
    return "\n".join(map(_float, [first, *others]))


def _float(layout: Layout) -> str:
    lines = [
        "% \\usepackage{booktabs}\n\\begin{table}[t]\n\\centering",
        rf"\caption{{{latex_text(layout.caption)}}}",
        rf"\label{{tab:{layout.title.lower().replace(' ', '')}}}",
        r"\par\smallskip" + opening(WIDE_GAP if layout.widths else GAP),
        *(_sentences(layout) if layout.widths or not layout.spanners else _numbers(layout)),
        r"\bottomrule" + "\n" + r"\end{tabular}}",
        *(rf"\par\smallskip{{\raggedright{SIZE} {latex_text(note)}\par}}" for note in layout.footnotes),
        "\\end{table}\n",
    ]
    return "\n".join(lines)


def _pages(layout: Layout) -> list[Layout]:
    """A table of sentences, cut between rows where it is longer than a page."""
    pages: list[list[Block]] = []
    left = 0.0
    for name, rows in (block for section in layout.sections for block in section):
        for row in rows:
            cells = zip([name, *row], layout.widths, strict=True)
            tall = 0.5 + max(math.ceil(RAGGED * width_of(cell) / (part * TEXT - 2 * WIDE_GAP)) for cell, part in cells)
            if tall > left or not pages:
                pages, left = [*pages, []], PAGE
            pages[-1].append((name, [row]))
            left -= tall
    return [replace(layout, sections=[page]) for page in pages] or [layout]


def _pages_of_numbers(layout: Layout) -> list[Layout]:
    """A table of numbers; if its blocks do not fit on a page, each begins one, and is cut between named rows."""
    blocks = _blocks(_folded(layout))
    if len(blocks) * (HEAD_LINES + sum(len(flat(section)) for section in layout.sections)) <= PAGE:
        return [layout]
    return [_with_spanners(replace(layout, sections=page), block) for block in blocks for page in _cut(layout)]


def _cut(layout: Layout) -> list[list[list[Block]]]:
    """The sections in pages; the rows of one name stay together."""
    pages: list[list[list[Block]]] = [[]]
    left = most = PAGE - HEAD_LINES
    for section in layout.sections:
        pages[-1].append([])
        for name, rows in section:
            if len(rows) > left and left < most:
                pages, left = [*pages, [[]]], most
            pages[-1][-1].append((name, rows))
            left -= len(rows)
    return pages


def _with_spanners(layout: Layout, chosen: Sequence[int]) -> Layout:
    """The layout with these spanners alone, by number."""
    starts, names = _starts(layout), len(layout.stubs) - 1  # a row has no cell for the first stub
    kept = [*range(names), *(column - 1 for i in chosen for column in range(starts[i], starts[i + 1]))]
    sections = [[(name, [[row[i] for i in kept] for row in rows]) for name, rows in part] for part in layout.sections]
    return replace(layout, spanners=[layout.spanners[i] for i in chosen], sections=sections)


def opening(gap: float = GAP) -> str:
    """What begins the group of a tabular: its size and the room between its columns."""
    return rf"{{{SIZE}\setlength{{\tabcolsep}}{{{gap}pt}}%"


def width_of(text: str) -> float:
    """Points that a cell takes at most."""
    shown = NEGATIVE.sub("−", text).replace(" ± ", "±")
    signs = {character for character in shown if LATEX_ESCAPES.get(ord(character), "").startswith("$")}  # never bold
    bold = BOLD if isinstance(text, Best) else 1
    return sum(WIDTHS.get(character, OTHER) * (1 if character in signs else bold) for character in shown)


def _sentences(layout: Layout) -> list[str]:
    """Columns of words, which are broken where `widths` say how wide they are."""
    columns = [rf"p{{\dimexpr {width:g}\linewidth-2\tabcolsep\relax}}" for width in layout.widths]
    space = "\n\\addlinespace\n" if layout.widths else "\n"
    sections = [space.join(_row(row, layout) for row in flat(section)) for section in layout.sections if section]
    return [
        rf"\begin{{tabular}}{{{''.join(columns) or 'l' * len(layout.stubs)}}}",
        "\\toprule",
        _row(layout.stubs, layout) + "\n\\midrule",
        "\n\\midrule\n".join(sections),
    ]


def _numbers(layout: Layout) -> list[str]:
    """Spanned columns of numbers; those beyond the text's width stand in a further block, under the same stubs."""
    layout = _folded(layout)
    blocks = _blocks(layout)
    most = max(sum(len(layout.spanners[i][1]) for i in block) for block in blocks)
    lines = [rf"\begin{{tabular}}{{@{{}}{'l' * len(layout.stubs)}{'c' * most}@{{}}}}", "\\toprule"]
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


def _folded(layout: Layout) -> Layout:
    """The same with long names broken over the rows of their block, as far as this saves blocks."""

    def broken(letters: int) -> Layout:
        sections = [[line for block in section for line in _lines(*block, letters)] for section in layout.sections]
        return replace(layout, sections=sections)

    longest = max((len(name) for section in layout.sections for name, _ in section), default=1)
    return min(map(broken, range(max(longest, 1), 0, -1)), key=lambda found: len(_blocks(found)))


def _lines(name: str, rows: list[list[str]], letters: int) -> list[Block]:
    """A block for each row, named with a line of the name; the name stays whole where the rows are too few."""
    lines = in_lines(name, letters)
    lines = lines if len(lines) <= len(rows) else [name]
    return [(line, [row]) for line, row in zip([*lines, *[""] * (len(rows) - len(lines))], rows, strict=True)]


def in_lines(text: str, letters: int) -> list[str]:
    return textwrap.wrap(text, letters, break_long_words=False, break_on_hyphens=False) or [""]


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
    starts, room = _starts(layout), TEXT + 2 * GAP - sum(widths[: len(layout.stubs)])
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
    if not layout.widths:
        return " & ".join(row) + r" \\"
    # Ragged right gives "\\" another meaning. A group with a \par of its own would set an empty line below each cell.
    return " & ".join(rf"\raggedright {cell}" for cell in row) + r" \tabularnewline"


def latex_cell(cell: str) -> str:
    """A number's minus is set as one, and ± loses its spaces so that the row stays narrow."""
    shown = NEGATIVE.sub("$-$", latex_text(cell)).replace(r" $\pm$ ", r"$\pm$")
    return rf"\textbf{{{shown}}}" if isinstance(cell, Best) else shown


def latex_text(text: str) -> str:
    return text.translate(LATEX_ESCAPES)
