"""docs/configuration.md is up to date with the schema, and says what every key is and what holds without it."""

import re
from dataclasses import fields

from docs.pages.configuration import all_keys, describe_config
from learnability.study.configuration import ROOT, read_config
from learnability.study.entries import UNRECORDED
from learnability.study.recipe import KEYS, Reweighting

PAGE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
# Keys whose value follows from `base`: the page shows those of the recipe `image` in config.yaml.
INHERITED = {*KEYS, "spaces", *(f"drw.{key.name}" for key in fields(Reweighting))}


def test_the_page_is_current():
    assert describe_config() == PAGE, "make pages"


def rows(section: str) -> dict[str, tuple[str, str, str]]:
    """The table of a section of the page: kind, description and what holds without it, by key."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("| `")]
    return {key.strip(" `"): (kind.strip(), said.strip(), absent.strip()) for key, kind, said, absent in cells}


def test_every_key_of_the_published_study_is_on_the_page():
    config = read_config()
    assert set(config) == set(rows("Top level")) | {
        "study", "datasets", "autoencoders", "pretrained", "recipes", "tables", "significance",
    }  # fmt: skip
    assert set(config["study"]) <= set(rows("`study`"))
    for kind in ("datasets", "autoencoders", "recipes"):
        used = {key for entry in config[kind].values() for key in entry}
        assert used <= set(rows(f"`{kind}.{{name}}`"))


def test_what_decides_no_result_is_a_key_of_an_entry():
    assert set(rows("`datasets.{name}`")) | set(rows("`autoencoders.{name}`")) >= UNRECORDED


def test_values_and_defaults_are_those_in_force():
    assert rows("Top level")["image_size"] == (
        "whole number, at least 16", "Side in pixels of the square input of the autoencoders.", "`512`",
    )  # fmt: skip
    recipe = rows("`recipes.{name}`")
    assert (recipe["lr"][2], recipe["drw.after_epoch"][2], recipe["noise"][2]) == ("`0.0001`", "`10`", "`null`")
    assert recipe["mask"][0] == "number, at least 0, below 1"
    dataset = rows("`datasets.{name}`")
    assert (dataset["resize"][2], dataset["label"][2]) == ("`squash`", "**required**")
    assert dataset["join.on"][2] == "**required**"


def test_every_key_has_a_description_and_what_holds_without_it():
    keys = all_keys()
    assert len(keys) > 150
    assert [key.path for key in keys if len(key.description) < 10] == []
    silent = [key.path for key in keys if not key.absent]
    assert [path for path in silent if path.removeprefix("recipes.{key}.") not in INHERITED] == []
    for section in PAGE.split("\n## ")[1:]:
        assert re.findall(r"\|  \|$", section, flags=re.MULTILINE) == []


def test_no_description_is_of_a_key_elsewhere_under_another_name():
    """A text that different keys share says too little; the same key may have it in several places."""
    texts = {}
    for key in all_keys():
        texts.setdefault(key.description, set()).add(key.path.split(".")[-1])
    shared = {text: names for text, names in texts.items() if len(names) > 1}
    assert shared == {}
