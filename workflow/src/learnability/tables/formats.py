"""A laid-out table as Markdown, HTML and LaTeX."""

import html
import re

from .layout import Block, Layout

# A bracket or a star that starts a row would be taken as an argument of the "\\" before it.
LATEX_ESCAPES = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "[": "{[}", "*": "{*}"}
    | {"±": r"$\pm$", "∞": r"$\infty$", "×": r"$\times$", "≤": r"$\leq$", "≥": r"$\geq$"}
    | {"–": "--", "−": "$-$", "†": r"$\dagger$", "‡": r"$\ddagger$", "⋆": r"$\star$", "⋄": r"$\diamond$"}
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
"""


def render(layout: Layout) -> dict[str, str]:
    """The table in each format, by its file extension."""
    return {"md": _markdown(layout), "html": _html(layout), "tex": _latex(layout)}


def _flat(section: list[Block]) -> list[list[str]]:
    """The rows of a section for formats without spanning rows: a name stands in its block's first row."""
    return [["" if i else name, *row] for name, rows in section for i, row in enumerate(rows)]


def _markdown(layout: Layout) -> str:
    """A pipe table; there are no spanners, so every column head names its own."""

    def escaped(text: str) -> str:
        return re.sub(r"([\\|*_`<\[\]])", r"\\\1", text)

    heads = [f"{name} {head}" for name, below in layout.spanners for head in below]
    rows = [[*layout.stubs, *heads], *(row for section in layout.sections for row in _flat(section))]
    lines = [f"| {' | '.join(map(escaped, row))} |" for row in rows]
    lines.insert(1, "|" + " :-- |" * len(layout.stubs) + " --: |" * len(heads))
    parts = [f"**{layout.title}.** {escaped(layout.caption)}", "\n".join(lines)]
    return "\n\n".join([*parts, *map(escaped, layout.footnotes)]) + "\n"


def _html(layout: Layout) -> str:
    """A complete document, well-formed as XML too; the name of a block heads all rows of its tbody."""
    text = html.escape
    stubs = "".join(f'<th rowspan="2" scope="col" class="name">{text(stub)}</th>' for stub in layout.stubs)
    spanners = [f'<th colspan="{len(below)}" scope="colgroup">{text(name)}</th>' for name, below in layout.spanners]
    heads = [f'<th scope="col">{text(head)}</th>' for _, below in layout.spanners for head in below]
    columns = len(layout.stubs) + len(heads)
    notes = "".join(f"<p>{text(note)}</p>" for note in layout.footnotes)
    lines = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>',
        f"<title>{text(layout.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<table>",
        f"<caption><b>{text(layout.title)}.</b> {text(layout.caption)}</caption>",
        f"<thead>\n<tr>{stubs}{''.join(spanners)}</tr>\n<tr>{''.join(heads)}</tr>\n</thead>",
        *(
            _html_block(*block, names=len(layout.stubs) - 1, ruled=not i)
            for section in layout.sections
            for i, block in enumerate(section)
        ),
        f'<tfoot class="ruled"><tr><td colspan="{columns}">{notes}</td></tr></tfoot>' if notes else "",
        "</table>\n</body>\n</html>\n",
    ]
    return "\n".join(filter(None, lines))


def _html_block(name: str, rows: list[list[str]], names: int, ruled: bool) -> str:
    """A block's tbody; the first `names` cells of a row are words and not numbers."""
    head = f'<th rowspan="{len(rows)}" scope="rowgroup" class="name">{html.escape(name)}</th>'
    kinds = [' class="name"'] * names + [""] * (len(rows[0]) - names)
    cells = ["".join(map("<td{}>{}</td>".format, kinds, map(html.escape, row))) for row in rows]
    opening = '<tbody class="ruled">' if ruled else "<tbody>"
    return f"{opening}\n<tr>{head}" + "</tr>\n<tr>".join(cells) + "</tr>\n</tbody>"


def _latex(layout: Layout) -> str:
    """A table float that needs the package booktabs and nothing else."""
    heads = [head for _, below in layout.spanners for head in below]
    size = r"\tiny" if len(heads) > 12 else r"\scriptsize"
    spanners, rules, first = [""] * len(layout.stubs), "", len(layout.stubs) + 1
    for name, below in layout.spanners:
        spanners.append(rf"\multicolumn{{{len(below)}}}{{c}}{{{_latex_text(name)}}}")
        rules += rf"\cmidrule(lr){{{first}-{first + len(below) - 1}}}"
        first += len(below)
    sections = ["\n".join(map(_latex_row, _flat(section))) for section in layout.sections if section]
    lines = [
        "% \\usepackage{booktabs}\n\\begin{table}[t]\n\\centering",
        rf"\caption{{{_latex_text(layout.caption)}}}",
        rf"\label{{tab:{layout.title.lower().replace(' ', '')}}}",
        # Four datasets with sd are twelve wide columns: what is wider than the text hangs out on both sides.
        # Beyond that it would leave the page, so the print is smaller.
        rf"\par\smallskip{size}\setlength{{\tabcolsep}}{{2pt}}\makebox[\linewidth]{{%",
        rf"\begin{{tabular}}{{{'l' * len(layout.stubs)}{'c' * len(heads)}}}",
        "\\toprule\n" + " & ".join(spanners) + r" \\",
        rules,
        _latex_row([*layout.stubs, *heads]) + "\n\\midrule",
        "\n\\midrule\n".join(sections) + "\n\\bottomrule\n\\end{tabular}}",
        *(rf"\par\smallskip{{\small {_latex_text(note)}\par}}" for note in layout.footnotes),
        "\\end{table}\n",
    ]
    return "\n".join(lines)


def _latex_row(cells: list[str]) -> str:
    """A number's minus is set as one, and ± loses its spaces so that the row stays narrow."""
    row = " & ".join(re.sub(r"^-(?=[.\d])", "$-$", _latex_text(cell)) for cell in cells)
    return row.replace(r" $\pm$ ", r"$\pm$") + r" \\"


def _latex_text(text: str) -> str:
    return text.translate(LATEX_ESCAPES)
