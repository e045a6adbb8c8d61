"""The text at the start of Snakemake's report, rendered as Snakemake does it."""

from pathlib import Path
from types import SimpleNamespace

import jinja2
import pytest
from docutils.core import publish_parts

from tests.published import CHECKOUT, published

TEMPLATE = (CHECKOUT / "workflow/report/workflow.rst").read_text(encoding="utf-8")
JUDGED, TABLE = "results/significance/controls.html", "results/tables/table1.html"


def text_of(controls: list[str], *files: str) -> str:
    snakemake = SimpleNamespace(config=published(study={"controls": controls}, results="results"))
    rendered = jinja2.Template(TEMPLATE).render(
        snakemake=snakemake, files=[SimpleNamespace(path=Path(f)) for f in files]
    )
    return publish_parts(rendered, writer="html")["html_body"]


@pytest.fixture(autouse=True)
def words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "results/controls.rst"


def test_the_report_begins_with_what_the_controls_say(words):
    words.parent.mkdir()
    words.write_text("**Controls: a known gap is found.**\n", encoding="utf-8")
    text = text_of(["enciphered_8"], TABLE, JUDGED)
    assert "<strong>Controls: a known gap is found.</strong>" in text
    assert "not judged" not in text


def test_a_report_of_a_part_without_the_controls_says_that_they_are_not_judged():
    assert "does not judge its controls" in text_of(["enciphered_8"], TABLE)


def test_a_report_of_a_study_without_controls_says_so():
    text = text_of([], TABLE)
    assert "This study has no controls" in text
    assert "not judged" not in text


def test_phantoms_are_called_so_in_words_and_labels_stand_for_names():
    text = text_of([], TABLE)
    assert "Phantom data" not in text
    assert "MIMIC-LT" in text
    assert "mimic_cxr_lt" not in text
    config = published(study={"datasets": ["isic2019", "doll"], "controls": []}, results="results")
    config["datasets"]["doll"] = {"label": "Echo phantom", "format": "phantom"}
    rendered = jinja2.Template(TEMPLATE).render(snakemake=SimpleNamespace(config=config), files=[])
    html = publish_parts(rendered, writer="html")["html_body"]
    assert "<strong>Phantom data: the images of Echo phantom are synthetic, not of patients" in html
