"""The workflow in a folder that is not its own, and as a module of another workflow, as docs/run.md says."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from tests.conftest import CHECKOUT, job_counts, snakemake

PLACE = "/path/to/learnability-gap"  # as the page writes it
PAGE = (CHECKOUT / "docs/run.md").read_text(encoding="utf-8")
DEMO = str(CHECKOUT / "workflow/studies/demo.yaml")
FOLDS = "results/demo/folds/phantom_echo.parquet"


def command_with(word: str) -> list[str]:
    """The one snakemake command of the page that has this word, without the program."""
    (found,) = re.findall(rf"^    snakemake (.*{word}.*)$", PAGE, flags=re.MULTILINE)
    return shlex.split(found.replace(PLACE, str(CHECKOUT)))


@pytest.fixture
def outer(tmp_path) -> Path:
    """The workflow of the page that uses this one as a module."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    (config,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "Snakefile").write_text(code.replace(PLACE, str(CHECKOUT)))
    (tmp_path / "config.yaml").write_text(config)
    return tmp_path


def test_in_another_folder_a_job_runs_and_writes_there(tmp_path):
    whole = command_with("--snakefile")
    planned = snakemake(*whole, "--dry-run", "--", "train/cardium/image/original", folder=tmp_path, PYTHONPATH="")
    assert re.search(r"train classifier +5\b", planned)
    options = ["--cores", "1", "--configfile", DEMO, "--", FOLDS]
    snakemake(*whole, *options, folder=tmp_path, PYTHONPATH="")
    assert (tmp_path / FOLDS).is_file()
    assert "Nothing to be done" in snakemake(*whole, "--dry-run", *options, folder=tmp_path, PYTHONPATH="")


def test_with_directory_it_is_the_same_and_shipped_weights_are_found(tmp_path):
    encoded = "results/demo/encodings/phantom_echo/tiny_sd14/autoencoder.json"
    options = ("--snakefile", str(CHECKOUT / "Snakefile"), "--directory", str(tmp_path), "--configfile", DEMO)
    output = snakemake(*options, "-n", "--", encoded, folder=CHECKOUT)
    assert job_counts(output) == {"prepare_dataset": 1, "encode_dataset": 1}


def test_as_a_module_its_rules_have_the_prefix_and_a_job_runs(outer):
    asked = command_with("report")
    targets = ["report", "learnability_train/echo"]
    counts = job_counts(snakemake(*asked[:-2], "-n", "--", *targets, folder=outer, PYTHONPATH=""))
    assert {rule for rule in counts if not rule.startswith("learnability_")} == {"report"}
    trained = {rule: counts[f"learnability_{rule}"] for rule in ("train_classifier", "make_table1", "train/echo")}
    assert trained == {"train_classifier": 15, "make_table1": 1, "train/echo": 1}
    folds = "results/gap/folds/echo.parquet"
    snakemake(*asked[:-2], "--", folds, folder=outer, PYTHONPATH="")
    assert (outer / folds).is_file()
    rest = job_counts(snakemake(*asked[:-2], "-n", "--", *targets, folder=outer, PYTHONPATH=""))
    assert counts.keys() - rest.keys() == {"learnability_prepare_dataset", "learnability_make_folds"}


def test_as_a_module_it_refuses_an_unknown_key_too(outer):
    config = yaml.safe_load((outer / "config.yaml").read_text())
    config["learnability"]["image_sise"] = 64
    (outer / "config.yaml").write_text(yaml.safe_dump(config))
    output = snakemake(*command_with("report"), "-n", folder=outer, code=None)
    assert "image_sise" in output
