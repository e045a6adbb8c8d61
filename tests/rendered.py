"""What a reader of a rendered table sees: its cells, from Markdown, HTML and LaTeX."""

import re
from itertools import product
from xml.etree import ElementTree


def markdown_rows(text):
    """The cells of a pipe table, heads first, without the rule below them and without bold marks."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [
        [cell.strip().removeprefix("**").removesuffix("**") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in lines
    ]
    return [rows[0], *rows[2:]]


def html_grid(text):
    """The text of each cell on the grid; a spanning cell is in every place that it covers."""
    assert text.startswith("<!DOCTYPE html>")
    grid = {}
    for y, row in enumerate(ElementTree.fromstring(text).iterfind("body/table/*/tr")):
        x = 0
        for cell in row:
            while (y, x) in grid:
                x += 1
            height, width = int(cell.get("rowspan", 1)), int(cell.get("colspan", 1))
            for place in product(range(y, y + height), range(x, x + width)):
                assert place not in grid
                grid[place] = "".join(cell.itertext())
    height, width = max(y for y, _ in grid) + 1, max(x for _, x in grid) + 1
    return [[grid[y, x] for x in range(width)] for y in range(height)]


def latex_rows(text):
    """The cells of a tabular without bold marks; a spanning cell occurs once for each column that it covers."""
    rows = []
    for line in re.search(r"\\begin{tabular}(.*)\\end{tabular}", text, re.DOTALL)[1].splitlines():
        if not line.endswith((r" \\", r" \tabularnewline")):
            continue
        cells = []
        text = re.sub(r"\\raggedright | (\\\\|\\tabularnewline)$", "", line)
        for cell in re.split(r"(?<!\\)&", text):
            span = re.fullmatch(r"\s*\\multicolumn{(\d+)}{c}{(.*)}\s*", cell)
            bold = re.fullmatch(r"\s*\\textbf{(.*)}\s*", cell)
            cells += [span[2]] * int(span[1]) if span else [bold[1] if bold else cell.strip()]
        rows.append(cells)
    return rows


def side_by_side(rows: list[list[str]], stubs: int) -> list[list[str]]:
    """Join LaTeX blocks that stand below each other, each with two rows of heads, into the rows of one wide table."""
    starts = [i for i in range(len(rows) - 1) if rows[i + 1][:stubs] == rows[1][:stubs]]
    blocks = [rows[start:end] for start, end in zip(starts, [*starts[1:], len(rows)], strict=True)]
    kept = [[j for j, head in enumerate(block[1]) if j >= stubs and head] for block in blocks]
    return [
        row[:stubs] + [block[i][j] for block, columns in zip(blocks, kept, strict=True) for j in columns]
        for i, row in enumerate(blocks[0])
    ]
