"""The files, functions and rules that the pages for contributors name exist."""

import ast
import functools
import re

import pytest

from learnability.study.configuration import ROOT
from tests.conftest import run

PACKAGE = ROOT / "workflow" / "src" / "learnability"
FILES = run("git", "ls-files", "-co", "--exclude-standard").split()
# What a study writes, and words of its files and commands, which the pages put in `code` too.
WRITTEN = {
    "images.npy", "images_small.npy", "samples.parquet", "dataset.json", "latents.npy", "predictions.parquet",
    "metrics.json", "table1.csv", "results/demo/tables/table1.md",
}  # fmt: skip
WORDS = {"code", "dataset autoencoder space recipe fold role", "x", "z", "x_hat"}


@functools.cache
def defined() -> set[str]:
    """Every function, class and rule of the workflow."""
    names = set()
    for path in PACKAGE.rglob("*.py"):
        kinds = ast.FunctionDef | ast.ClassDef
        names |= {node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, kinds)}
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        names |= set(re.findall(r"^(?:def|rule) (\w+)", path.read_text("utf-8"), flags=re.MULTILINE))
    return names


def names_in(page: str) -> list[str]:
    """What is between backticks, code blocks excluded."""
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.findall(r"`([^`\n]+)`", text)


@pytest.mark.parametrize(("page", "least"), [("docs/one_number.md", 50), ("CONTRIBUTING.md", 15)])
def test_every_name_is_there(page, least):
    names, known = names_in(page), defined()
    assert len(names) >= least
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    folders = {str(parent) for file in FILES for parent in (ROOT / file).relative_to(ROOT).parents}

    def is_there(name: str) -> bool:
        if name.startswith("make "):
            return name.removeprefix("make ") in targets
        path = name.rstrip("/")
        in_package = str((PACKAGE / path).relative_to(ROOT))
        return bool({path, in_package} & {*FILES, *folders}) or name in known | WRITTEN | WORDS

    assert [name for name in names if not is_there(name)] == []


def test_a_function_is_in_the_file_that_is_named_with_it():
    """`function` in `file.py`, as docs/one_number.md writes it."""
    text = " ".join((ROOT / "docs/one_number.md").read_text(encoding="utf-8").split())
    pairs = re.findall(r"`(\w+)` (?:in|of) `([\w./]+\.(?:py|smk))`", text)
    assert len(pairs) > 20
    for name, file in pairs:
        path = ROOT / file if file.startswith("workflow") else PACKAGE / file
        assert re.search(rf"^(?:def|class) {name}\b", path.read_text("utf-8"), flags=re.MULTILINE), (name, file)


def test_the_page_is_short():
    assert len((ROOT / "docs/one_number.md").read_text(encoding="utf-8").splitlines()) <= 60
