"""Tables, tests and figures from the parts of a study that are small enough for git are those of the study itself."""

import json
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

from docs.measurements.parts import METRICS, pack, unpack
from learnability.errors import InputError
from learnability.storage.contracts import CELL, read_json, write_json
from learnability.study.configuration import read_config
from learnability.study.paths import run_file
from tests.conftest import copy_checkout, run
from tests.made_up import write_results

STUDY = Path("tests/studies/made_up.yaml")
FIGURES = ("gaps", "gap_decomposition", "class_recall", "training_curves", "learning_curves")
TARGETS = [
    "table1", "gap", "gap_by_frequency", "table2", "probes", "information", "learning_curve", "gap_decomposition",
    "controls", "significance", *(f"figures/{name}.svg" for name in FIGURES),
]  # fmt: skip
# Of every digit of the probabilities, or of fidelity; all else is the same to the last byte.
ROUNDED = {"information.csv", "learning_curve.csv", "learning_curves.svg", "table2.csv"}


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """A checkout with the results of a study, in which two parts of them are committed: the second is of fold 4."""
    folder = copy_checkout(tmp_path_factory.mktemp("study") / "checkout")
    results, data = folder / "results/made_up", folder / "docs/measurements/data/made_up"
    config = read_config(folder / STUDY)
    write_results(results, config)
    write_json({"recipes": config["study"]["recipes"]}, results / "study.json")
    first = shutil.copytree(results, folder / "first")
    for path in first.glob("runs/*/*/*/*/fold4"):
        shutil.rmtree(path)
    pack(first, data / "a")
    pack(results, data / "b")
    (results / "study.json").unlink()
    shutil.copy(folder / STUDY, folder / "workflow/studies/made_up.yaml")
    return folder


def bytes_of(results: Path) -> dict[str, bytes]:
    patterns = ("tables/*.csv", "significance/*.csv", "figures/*.svg")
    return {path.name: path.read_bytes() for pattern in patterns for path in results.glob(pattern)}


def as_numbers(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The numbers of a table, and what is none, as text."""
    numbers = table.apply(pd.to_numeric, errors="coerce")
    return numbers, table.astype(str).where(numbers.isna(), "")


def test_what_is_rebuilt_equals_what_the_study_makes(study):
    made = "import sys; from docs.measurements.parts import *; "
    made += f"sys.exit(make(['{STUDY}'], Path('results/made_up'), sys.argv[1:]))"
    run(sys.executable, "-c", made, *TARGETS, folder=study)
    output = run(sys.executable, "-m", "docs.measurements.parts", "rebuild", "made_up", *TARGETS, folder=study)
    assert "train_classifier" not in output
    expected, found = bytes_of(study / "results/made_up"), bytes_of(study / "results/made_up_rebuilt")
    assert len(expected) == 22
    assert {name for name in expected if found[name] != expected[name]} <= ROUNDED
    for name in (name for name in ROUNDED if name.endswith(".csv")):
        tables = [pd.read_csv(study / "results" / one / "tables" / name) for one in ("made_up", "made_up_rebuilt")]
        numbers, words = zip(*map(as_numbers, tables), strict=True)
        pd.testing.assert_frame_equal(*words)
        pd.testing.assert_frame_equal(*numbers, rtol=1e-2, atol=5e-3)  # of folds of some thirty images


def test_parts_add_up_and_have_nothing_twice(study):
    runs = [
        [tuple(json.loads(line)[key] for key in CELL) for line in path.read_text().splitlines()]
        for path in sorted((study / "docs/measurements/data/made_up").glob(f"*/{METRICS}"))
    ]
    assert [{cell[-1] for cell in part} for part in runs] == [{0, 1, 2, 3}, {4}]
    assert len({*runs[0], *runs[1]}) == len(runs[0]) + len(runs[1])


def test_a_target_whose_runs_are_in_no_part_says_which_and_trains_none(study):
    path = study / "results/less"
    unpack(study / "docs/measurements/data/made_up", path)
    shutil.rmtree(path / "runs/spots/latent/second/matched/fold2")
    made = "import sys; from docs.measurements.parts import *; "
    made += f"sys.exit(make(['{STUDY}'], Path('results/less'), ['gap_decomposition']))"
    output = run(sys.executable, "-c", made, folder=study, code=1)
    assert "MissingInputException" in output
    assert "runs/spots/latent/second/matched/fold2/metrics.json" in output


def test_a_run_that_was_trained_anew_is_refused_and_so_is_a_part_with_nothing(study, tmp_path):
    other = shutil.copytree(study / "results/made_up", tmp_path / "results")
    write_json({"recipes": {}}, other / "study.json")
    data = shutil.copytree(study / "docs/measurements/data/made_up", tmp_path / "data")
    with pytest.raises(InputError, match="there is nothing to pack"):
        pack(other, data / "c")
    path = other / run_file(json.loads((data / "a" / METRICS).read_text().splitlines()[0]), "metrics.json")
    write_json(read_json(path) | {"seed": 99}, path)
    with pytest.raises(InputError, match=f"{path.parent.name}.*trained anew"):
        pack(other, data / "c")


def test_an_encoding_made_again_elsewhere_is_that_of_an_earlier_part_unless_its_weights_differ(study, tmp_path):
    results = shutil.copytree(study / "results/made_up", tmp_path / "results")
    data = shutil.copytree(study / "docs/measurements/data/made_up", tmp_path / "data")
    write_json({"recipes": {}}, results / "study.json")
    (card,) = results.glob("encodings/*/first/autoencoder.json")
    write_json(read_json(card) | {"digest_latents": "of other bits"}, card)
    with pytest.raises(InputError, match="there is nothing to pack"):
        pack(results, data / "c")
    write_json(read_json(card) | {"weights_digest": "of other weights"}, card)
    with pytest.raises(InputError, match=r"autoencoder\.json: differs"):
        pack(results, data / "c")


def test_a_run_of_an_earlier_part_that_a_later_table_takes_has_its_validation_rows_in_a_later_part(study, tmp_path):
    """Say its recipe was in the gap's decomposition first, and the learning curve came later."""
    results = shutil.copytree(study / "results/made_up", tmp_path / "results")
    recipe, data = "matched_cross_entropy", tmp_path / "data"
    write_json({"recipes": {"gap_decomposition": [recipe]}}, results / "study.json")
    pack(results, data / "first")
    write_json({"recipes": {"learning_curve": [recipe]}}, results / "study.json")
    pack(results, data / "a_later")  # read before the other
    assert (data / "a_later" / METRICS).read_text() == ""
    with pytest.raises(InputError, match="there is nothing to pack"):
        pack(results, data / "c")
    unpack(data, tmp_path / "unpacked")
    for cell in map(json.loads, (data / "first" / METRICS).read_text().splitlines()):
        frame = pd.read_parquet(tmp_path / "unpacked" / run_file(cell, "predictions.parquet"))
        assert set(frame["split"]) == ({"test", "validation"} if cell["recipe"] == recipe else {"test"})
        assert frame["sample_id"].is_unique


def test_scores_that_the_rows_do_not_give_are_refused(study, tmp_path):
    data = shutil.copytree(study / "docs/measurements/data/made_up", tmp_path / "data")
    lines = (data / "b" / METRICS).read_text().splitlines()
    worse = json.loads(lines[0])
    worse["mcc"] += 0.001
    (data / "b" / METRICS).write_text("\n".join([json.dumps(worse), *lines[1:]]) + "\n")
    with pytest.raises(InputError, match=r"mcc 0\.\d+ of runs/spots/.* is not what its metrics say"):
        unpack(data, tmp_path / "results")
    assert not (tmp_path / "results").exists()
