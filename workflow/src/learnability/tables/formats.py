"""A laid-out table as Markdown and HTML, and by latex.py as LaTeX."""

import html
import re
from collections.abc import Mapping, Sequence

import pandas as pd

from ..storage.contracts import write_csv, write_text
from .latex import as_latex
from .layout import Best, Layout, flat

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
        "tex": "\n".join(map(as_latex, layouts)),
    }


def write_table(table: pd.DataFrame, text: Mapping[str, str], files: Mapping[str, str]) -> None:
    """Write a table as CSV, and as `render` gave it; `files` are paths by extension."""
    write_csv(table, files["csv"])
    for extension, shown in text.items():
        write_text(shown, files[extension])


def _markdown(layout: Layout) -> str:
    """A pipe table; there are no spanners, so every column head names its own."""

    def escaped(text: str) -> str:
        shown = re.sub(r"([\\|*_`<\[\]])", r"\\\1", text)
        return f"**{shown}**" if isinstance(text, Best) else shown

    heads = [f"{name} {head}" for name, below in layout.spanners for head in below]
    rows = [[*layout.stubs, *heads], *(row for section in layout.sections for row in flat(section))]
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
