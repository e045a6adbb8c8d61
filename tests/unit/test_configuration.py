"""Outside Snakemake a study is read as Snakemake reads it; slips are named."""

import copy
from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config, validate

from learnability.errors import InputError
from learnability.study.configuration import ROOT, SCHEMA, read_config, type_nested

STUDIES = sorted((ROOT / "workflow" / "studies").glob("*.yaml"))


@pytest.mark.parametrize("study", [None, *STUDIES], ids=lambda path: path.stem if path else "published")
def test_a_study_is_what_snakemake_makes_of_its_files(study):
    expected = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    if study:
        update_config(expected, yaml.safe_load(study.read_text(encoding="utf-8")))
    validate(expected, str(SCHEMA))
    found = read_config(*([study] if study else []))
    for entry in expected["autoencoders"].values():
        if (ROOT / entry.get("source", "?")).is_dir():  # shipped weights are found from any folder
            entry["source"] = str(ROOT / entry["source"])
    assert found == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sead: 3", "configuration, top level: no such key: 'sead'; did you mean 'seed'?"),
        ("recipes: {latent: {lr: fast}}", r"configuration, recipes\.latent\.lr: 'fast' is a text; expected a number"),
        ("- a list", "expected keys with values, found a list"),
        ("", "expected keys with values, found nothing"),
        ("a: [", "not valid YAML"),
    ],
)
def test_a_slip_is_named(tmp_path, text, message):
    study = tmp_path / "study.yaml"
    study.write_text(text)
    with pytest.raises(InputError, match=message):
        read_config(study)


def test_a_study_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.yaml does not exist; give a study file"):
        read_config(Path(tmp_path / "nowhere.yaml"))
    with pytest.raises(InputError, match=r" is a folder; give a study file"):
        read_config(tmp_path)


def test_reading_twice_gives_the_same():
    first = read_config(STUDIES[0])
    kept = copy.deepcopy(first)
    assert read_config(STUDIES[0]) == kept == first


def test_numbers_within_config_of_the_command_line_are_numbers():
    """Snakemake reads them as text; a module is given a part of the command line that is not its own."""
    config = {"study": {"folds": ["0", "1"], "n_splits": "5", "spaces": ["image"]}, "seed": 3}
    given = {"study": {"folds": ["0", "1"], "n_splits": "5", "efficiency": "null"}, "seed": 3, "outer": {"a": "1"}}
    type_nested(config, given | {"results": "x"})
    assert config == {
        "study": {"folds": [0, 1], "n_splits": 5, "spaces": ["image"], "efficiency": None},
        "seed": 3,
    }


def test_what_has_to_be_a_text_stays_one_within_config():
    """Snakemake gives all of --config as text: only the schema knows which `1` is a number."""
    given = {"datasets": {"mine": {"label": "1", "positive": "no", "root": "a: [", "max_bad_images": "3"}}}
    config = {"datasets": {}}
    type_nested(config, given)
    assert config["datasets"]["mine"] == {"label": "1", "positive": "no", "root": "a: [", "max_bad_images": 3}
