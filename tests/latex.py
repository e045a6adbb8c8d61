"""Tables in LaTeX: parsed always, and compiled where there is a TeX installation."""

import shutil
import subprocess
from pathlib import Path

import pytest
from pylatexenc.latexwalker import LatexEnvironmentNode, LatexWalker, LatexWalkerParseError

PREAMBLE = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n"


def tabulars_in(text: str) -> int:
    """How many tabulars a text has; LatexWalkerParseError where braces or environments do not match."""

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
    """The log of pdflatex for a document of these tables; skips the test where there is no pdflatex."""
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex on this machine (Debian: texlive-latex-base, texlive-latex-recommended)")
    (folder / "tables.tex").write_text(PREAMBLE + "\n".join(texts) + "\\end{document}\n", encoding="utf-8")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "tables.tex"]
    subprocess.run(command, cwd=folder, capture_output=True, check=False)
    return (folder / "tables.log").read_text(encoding="latin-1")


def assert_good_latex(texts: list[str], folder: Path) -> None:
    """Each text is a table, or several, that parse, and all compile with booktabs alone, no character lost."""
    for text in texts:
        try:
            assert tabulars_in(text) >= 1
        except LatexWalkerParseError as error:
            raise AssertionError(f"{text[:200]}: {error}") from None
    log = compiled(texts, folder)
    assert "Output written on tables.pdf" in log, log[-3000:]
    assert "Missing character" not in log
