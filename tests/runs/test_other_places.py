"""Where a study may lie, and results that belong to another study: a few small jobs, and what is refused first."""

import fcntl
import sys
from pathlib import Path

import pytest

from tests.conftest import copy_checkout, job_counts, run, snakemake

DEMO = ("--configfile", "workflow/studies/demo.yaml")
FOLDS = "folds/phantom_echo.parquet"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A checkout in a folder with blanks, umlauts and signs in its name."""
    return copy_checkout(tmp_path_factory.mktemp("für alle") / "pro jekt #1, 50 % ü")


def run_folds(folder: Path, results: str, *options: str, code: int | None = 0) -> str:
    asked = ("--config", f"results={results}", "--", f"{results}/{FOLDS}")
    return snakemake("--cores", "1", *options, *DEMO, *asked, folder=folder, code=code)


def test_a_study_runs_wherever_it_lies_and_results_may_be_called_so_too(place):
    """The name is in a file, because in `--config` Snakemake takes what follows a blank and # for a remark."""
    results = "results/Ergebnisse für #1, 50 %"
    (place / "named.yaml").write_text(f"results: '{results}'\n", encoding="utf-8")
    asked = (*DEMO, "named.yaml", "--", f"{results}/{FOLDS}")
    snakemake("--cores", "1", *asked, folder=place)
    assert (place / results / FOLDS).is_file()
    assert "Nothing to be done" in snakemake("-n", *asked, folder=place)


def test_results_lie_behind_a_link_or_in_the_home_folder(place, tmp_path, monkeypatch):
    (tmp_path / "disk").mkdir()
    (place / "results/linked").symlink_to(tmp_path / "disk")
    run_folds(place, "results/linked")
    assert (tmp_path / "disk" / FOLDS).is_file()
    monkeypatch.setenv("HOME", str(tmp_path))
    asked = ("--config", "results=~/x", "--", f"{tmp_path}/x/{FOLDS}")
    snakemake("--cores", "1", *DEMO, *asked, folder=place)
    assert (tmp_path / "x" / FOLDS).is_file()
    assert not (place / "~").exists()


def test_a_folder_in_which_another_study_runs_is_refused(place, tmp_path):
    results = tmp_path / "shared"
    results.mkdir()
    with (results / ".running").open("w") as file:
        file.write("process 7 on some node, in /somewhere\n")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        output = run_folds(place, str(results), code=1)
    assert "another study writes into this folder (process 7 on some node, in /somewhere)" in output
    assert not (results / "folds").exists()
    assert "Traceback" not in output


def test_results_of_another_folder_are_not_taken_for_up_to_date(place, tmp_path):
    results, other = tmp_path / "shared", copy_checkout(tmp_path / "other")
    run_folds(place, str(results))
    output = run_folds(other, str(results), "-n", code=1)
    assert "the records of its last run are not in this folder" in output
    assert "`learnability adopt --configfile" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("results", "why"),
    [
        ("results/{x}", "'{' has a special meaning in paths"),
        ("results/gone", "is a link to nowhere, which does not exist; make that folder"),
        ("config.yaml", "config.yaml is not a folder"),
    ],
)
def test_what_is_no_folder_is_refused_before_the_graph(place, results, why):
    if not (place / "results/gone").is_symlink():
        (place / "results/gone").symlink_to("nowhere")
    output = snakemake("-n", *DEMO, "--config", f"results={results}", folder=place, code=1)
    assert why in output
    assert "Traceback" not in output


def test_a_damaged_array_stops_no_plan_and_an_empty_study_json_says_what_to_do(place):
    packed = place / "results/hurt/datasets/phantom_echo"
    packed.mkdir(parents=True)
    for name in ("images.npy", "images_small.npy"):
        (packed / name).touch()
    asked = ("-n", *DEMO, "--config", "results=results/hurt")
    output = snakemake(*asked, "--", "train/phantom_echo/image/original", folder=place)
    warning = "warning: results/hurt/datasets/phantom_echo/images_small.npy: damaged, no whole array"
    assert output.count(warning) == 1
    (place / "hurt.yaml").write_text("results: results/hurt\n")
    files = ("--configfile", DEMO[1], "hurt.yaml")
    command = (sys.executable, "-m", "learnability.cli")
    assert warning in run(*command, "plan", *files, "--", "train/phantom_echo/image/original", folder=place)
    for name in ("samples.parquet", "dataset.json"):
        (packed / name).touch()
    output = run(*command, "check", "--images", "0", *files, folder=place, code=1, COLUMNS="200")
    for name in ("images.npy", "images_small.npy", "samples.parquet", "dataset.json"):
        assert f"results/hurt/datasets/phantom_echo/{name}: damaged" in output
    assert "the study cannot run yet" in output
    (place / "results/hurt/tables").mkdir()
    (place / "results/hurt/tables/table1.csv").touch()
    (place / "results/hurt/study.json").touch()
    output = snakemake(*asked, folder=place, code=1)
    assert "results/hurt/study.json: damaged, no JSON" in output
    assert "delete it and run again" in output


def test_values_within_config_of_the_command_line_have_their_types(place):
    """Snakemake reads them as text, and the schema asks for numbers."""
    given = ("study={folds: [1]}", "recipes={latent: {mask: 0.3, film: false}}")
    output = snakemake("-n", *DEMO, "--config", *given, "--", "train/phantom_echo/latent/tiny_sd14", folder=place)
    assert job_counts(output)["train_classifier"] == 1


@pytest.mark.parametrize("name", ["os:system", "nowhere.at.all:Mine"])
def test_a_class_that_is_none_is_a_message_and_no_trace(place, name):
    changed = f'autoencoders={{tiny_sd14: {{class: "{name}"}}}}'
    target = "results/demo/encodings/phantom_echo/tiny_sd14/autoencoder.json"
    output = snakemake("-n", *DEMO, "--config", changed, "--", target, folder=place, code=1)
    assert f"class {name}: " in output
    assert "Traceback" not in output
    assert len(output) < 2000
