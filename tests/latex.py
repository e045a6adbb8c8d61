"""Tables in LaTeX: parsed always, and compiled and measured where there is a TeX installation."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from pylatexenc.latexwalker import LatexEnvironmentNode, LatexWalker, LatexWalkerParseError

TEXT, COLUMN = (centimetres / 2.54 * 72.27 for centimetres in (12.2, 8.4))  # points: of LNCS, of one of two columns
PREAMBLE = rf"""\documentclass{{article}}
\usepackage{{booktabs}}
\setlength{{\textwidth}}{{{TEXT:.2f}pt}}
\setlength{{\textheight}}{{19.3cm}}
\newbox\measured
\begin{{document}}
"""
# The group of a tabular, with its size; it may stand in a float.
TABULAR = re.compile(r"\{\\fontsize\{7\}.*?\\end\{tabular\}\}", re.DOTALL)


def tabulars_in(text: str) -> int:
    """Count the tabulars of a text; LatexWalkerParseError if braces or environments do not match."""

    def count(nodes) -> int:
        found = 0
        for node in nodes or []:
            if isinstance(node, LatexEnvironmentNode):
                found += node.environmentname == "tabular"
            found += count(getattr(node, "nodelist", None))
            found += count(getattr(getattr(node, "nodeargd", None), "argnlist", None))
        return found

    nodes, _, _ = LatexWalker(text, tolerant_parsing=False).get_latex_nodes()
    return count(nodes)


def compiled(texts: list[str], folder: Path) -> str:
    """The log of pdflatex for a document with these tables; skips the test without pdflatex."""
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex on this machine (Debian: texlive-latex-base, texlive-latex-recommended)")
    (folder / "tables.tex").write_text(PREAMBLE + "\n".join(texts) + "\\end{document}\n", encoding="utf-8")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "tables.tex"]
    subprocess.run(command, cwd=folder, capture_output=True, check=False)
    return (folder / "tables.log").read_text(encoding="latin-1")


def box_widths(texts: list[str], folder: Path) -> list[float]:
    """The width of each tabular in points, as TeX sets it."""
    boxes = [
        rf"\setbox\measured\hbox{{{tabular}}}\typeout{{BOX \the\wd\measured}}"
        for text in texts
        for tabular in TABULAR.findall(text)
    ]
    found = re.findall(r"^BOX ([\d.]+)pt", compiled(["\n".join(boxes), "x"], folder), flags=re.MULTILINE)
    assert len(found) == len(boxes) == sum(map(tabulars_in, texts))
    return [float(width) for width in found]


def assert_good_latex(texts: list[str], folder: Path) -> None:
    """Each text is one table or more that parse; all compile with only booktabs and lose no character.

    None is wider or taller than the text of an LNCS page; one without a float is as narrow as one of two columns.
    """
    for text in texts:
        try:
            assert tabulars_in(text) >= 1
        except LatexWalkerParseError as error:
            raise AssertionError(f"{text[:200]}: {error}") from None
    for text in texts:
        room = TEXT if r"\begin{table}" in text else COLUMN
        assert max(box_widths([text], folder)) <= room + 0.1, text[:200]
    log = compiled(texts, folder)
    assert "Output written on tables.pdf" in log, log[-3000:]
    assert "Missing character" not in log
    assert "Float too large" not in log
