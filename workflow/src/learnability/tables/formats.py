"""A laid-out table as Markdown, HTML and LaTeX."""

import html
import re
from collections.abc import Sequence

from .layout import Best, Block, Layout

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
    }
)

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 2rem; }
table { border-collapse: collapse; border-top: 2px solid; border-bottom: 2px solid; }
caption { text-align: left; padding-bottom: .6rem; }
th, td { padding: .2rem .6rem; text-align: center; white-space: nowrap; font-variant-numeric: tabular-nums; }
th[scope=colgroup] { border-bottom: 1px solid #999; }
.name { text-align: left; vertical-align: top; }
.ruled { border-top: 1px solid; }
tfoot td { text-align: left; white-space: normal; font-size: 13px; }
tfoot p { margin: .2rem 0; }
.sentences { width: 100%; max-width: 75rem; }
.sentences td, .sentences th { white-space: normal; text-align: left; vertical-align: top; }
.sentences tbody th { font-weight: normal; }
table + table { margin-top: 2rem; }
"""


def render(*layouts: Layout) -> dict[str, str]:
    """The tables in each format, by its file extension: one file, whose title is that of the first."""
    return {
        "md": "\n".join(map(_markdown, layouts)),
        "html": _html(layouts),
        "tex": "\n".join(map(_latex, layouts)),
    }


def _flat(section: list[Block]) -> list[list[str]]:
    """The rows of a section for formats without spanning rows: a name stands in its block's first row."""
    return [["" if i else name, *row] for name, rows in section for i, row in enumerate(rows)]


def _markdown(layout: Layout) -> str:
    """A pipe table; there are no spanners, so every column head names its own."""

    def escaped(text: str) -> str:
        shown = re.sub(r"([\\|*_`<\[\]])", r"\\\1", text)
        return f"**{shown}**" if isinstance(text, Best) else shown

    heads = [f"{name} {head}" for name, below in layout.spanners for head in below]
    rows = [[*layout.stubs, *heads], *(row for section in layout.sections for row in _flat(section))]
    lines = [f"| {' | '.join(map(escaped, row))} |" for row in rows]
    lines.insert(1, "|" + " :-- |" * len(layout.stubs) + " --: |" * len(heads))
    parts = [f"**{layout.title}.** {escaped(layout.caption)}", "\n".join(lines)]
    return "\n\n".join([*parts, *map(escaped, layout.footnotes)]) + "\n"


def _html(layouts: Sequence[Layout]) -> str:
    """A complete document, well-formed as XML too."""
    lines = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>',
        f"<title>{html.escape(layouts[0].title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>",
        *map(_html_table, layouts),
        "</body>\n</html>\n",
    ]
    return "\n".join(lines)


def _html_table(layout: Layout) -> str:
    """The name of a block heads all rows of its tbody."""
    text = html.escape
    tall = ' rowspan="2"' if layout.spanners else ""
    stubs = "".join(f'<th{tall} scope="col" class="name">{text(stub)}</th>' for stub in layout.stubs)
    spanners = [f'<th colspan="{len(below)}" scope="colgroup">{text(name)}</th>' for name, below in layout.spanners]
    heads = [f'<th scope="col">{text(head)}</th>' for _, below in layout.spanners for head in below]
    columns = len(layout.stubs) + len(heads)
    notes = "".join(f"<p>{text(note)}</p>" for note in layout.footnotes)
    lines = [
        f'<table class="{"sentences" if layout.widths else "numbers"}">',
        f"<caption><b>{text(layout.title)}.</b> {text(layout.caption)}</caption>",
        "".join(f'<col style="width: {width:.0%}"/>' for width in layout.widths),
        f"<thead>\n<tr>{stubs}{''.join(spanners)}</tr>",
        f"<tr>{''.join(heads)}</tr>" if heads else "",
        "</thead>",
        *(
            _html_block(*block, names=len(layout.stubs) - 1, ruled=not i)
            for section in layout.sections
            for i, block in enumerate(section)
        ),
        f'<tfoot class="ruled"><tr><td colspan="{columns}">{notes}</td></tr></tfoot>' if notes else "",
        "</table>",
    ]
    return "\n".join(filter(None, lines))


def _html_block(name: str, rows: list[list[str]], names: int, ruled: bool) -> str:
    """A block's tbody; the first `names` cells of a row are words and not numbers."""
    head = f'<th rowspan="{len(rows)}" scope="rowgroup" class="name">{html.escape(name)}</th>'
    kinds = [' class="name"'] * names + [""] * (len(rows[0]) - names)
    cells = ["".join(map("<td{}>{}</td>".format, kinds, map(_html_cell, row))) for row in rows]
    opening = '<tbody class="ruled">' if ruled else "<tbody>"
    return f"{opening}\n<tr>{head}" + "</tr>\n<tr>".join(cells) + "</tr>\n</tbody>"


def _html_cell(text: str) -> str:
    shown = html.escape(text)
    return f"<b>{shown}</b>" if isinstance(text, Best) else shown


def _latex(layout: Layout) -> str:
    """A table float that needs the package booktabs and nothing else."""
    heads = [head for _, below in layout.spanners for head in below]
    size = r"\tiny" if len(heads) > 12 else r"\scriptsize"
    spanners, rules, first = [""] * len(layout.stubs), "", len(layout.stubs) + 1
    for name, below in layout.spanners:
        spanners.append(rf"\multicolumn{{{len(below)}}}{{c}}{{{_latex_text(name)}}}")
        rules += rf"\cmidrule(lr){{{first}-{first + len(below) - 1}}}"
        first += len(below)
    sections = ["\n".join(_latex_row(row, layout) for row in _flat(section)) for section in layout.sections if section]
    stubs = [rf"p{{{width:g}\linewidth}}" for width in layout.widths] or ["l"] * len(layout.stubs)
    lines = [
        "% \\usepackage{booktabs}\n\\begin{table}[t]\n\\centering",
        rf"\caption{{{_latex_text(layout.caption)}}}",
        rf"\label{{tab:{layout.title.lower().replace(' ', '')}}}",
        # Four datasets with sd are twelve wide columns: what is wider than the text hangs out on both sides.
        # Beyond that it would leave the page, so the print is smaller.
        rf"\par\smallskip{size}\setlength{{\tabcolsep}}{{2pt}}\makebox[\linewidth]{{%",
        rf"\begin{{tabular}}{{{''.join(stubs)}{'c' * len(heads)}}}",
        "\\toprule",
        *([" & ".join(spanners) + r" \\", rules] if heads else []),
        _latex_row([*layout.stubs, *heads], layout) + "\n\\midrule",
        "\n\\midrule\n".join(sections) + "\n\\bottomrule\n\\end{tabular}}",
        *(rf"\par\smallskip{{\small {_latex_text(note)}\par}}" for note in layout.footnotes),
        "\\end{table}\n",
    ]
    return "\n".join(lines)


def _latex_row(cells: list[str], layout: Layout) -> str:
    row = [_latex_cell(cell) for cell in cells]
    # A group of its own, because ragged right gives the "\\" of the row another meaning.
    row[: len(layout.widths)] = [rf"{{\raggedright {cell}\par}}" for cell in row[: len(layout.widths)]]
    return " & ".join(row) + r" \\"


def _latex_cell(cell: str) -> str:
    """A number's minus is set as one, and ± loses its spaces so that the row stays narrow."""
    shown = re.sub(r"^-(?=[.\d])", "$-$", _latex_text(cell)).replace(r" $\pm$ ", r"$\pm$")
    return rf"\textbf{{{shown}}}" if isinstance(cell, Best) else shown


def _latex_text(text: str) -> str:
    return text.translate(LATEX_ESCAPES)
