"""Links of the documentation lead somewhere, the README leads to every page, and what is cited is this version."""

import re
from pathlib import Path

import pytest
import yaml

from learnability.study.configuration import ROOT
from tests.pages import PAGES


def links_of(page: Path) -> list[str]:
    """The links of a page within the repository."""
    found = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    return [link for link in found if not link.startswith(("http:", "https:"))]


def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub makes of headings."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for link in links_of(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


def test_the_readme_leads_to_every_page():
    linked = {(ROOT / link.split("#")[0]).resolve() for link in links_of(ROOT / "README.md")}
    assert [page.name for page in PAGES if page not in linked and page != ROOT / "README.md"] == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 125


def test_what_is_cited_is_this_version_and_licence():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)[1]
    assert cited["version"] == version
    assert (ROOT / "LICENSE").read_text().startswith(f"{cited['license']} License")
