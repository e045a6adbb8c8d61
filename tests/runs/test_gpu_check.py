"""`make gpu-check` without a GPU: every part runs to its end on the CPU, and says that it is no measurement of one."""

import sys

import pytest

from benchmarks.gpu.page import NOT_RUN, TINY
from benchmarks.gpu.results import DONE, figures_of
from benchmarks.gpu.runner import PARTS
from learnability.storage.contracts import read_json
from tests.conftest import run


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """What `make gpu-check DEVICE=cpu TINY=1` leaves: the results, and the page beside their folder."""
    raw = tmp_path_factory.mktemp("check") / "raw"
    run(sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--tiny", "--raw", raw)
    return read_json(raw / "CPU.tiny.json")["parts"], raw.with_suffix(".md").read_text()


def test_every_part_runs_to_its_end(checked):
    parts, page = checked
    assert {name: parts[name]["ended"] for name in PARTS} == dict.fromkeys(PARTS, DONE)
    assert all(f"\n### {name}\n" in page for name in PARTS)
    failed = [figure for name in PARTS for figure in figures_of(parts[name]) if "failed" in str(figure.value)]
    assert failed == []


def test_the_page_of_a_tiny_run_says_that_it_is_one(checked):
    _, page = checked
    assert NOT_RUN in page
    assert TINY in page


def test_on_a_cpu_the_device_does_what_a_cpu_does(checked):
    """The differences that a GPU may show are zero here, so what measures them is right."""
    parts, _ = checked
    value = {(name, figure.of, figure.what): figure.value for name in PARTS for figure in figures_of(parts[name])}
    same = "weights are the same bytes"
    for ran in ("as the study trains", "with deterministic kernels"):
        assert value["resume", f"{ran}, twice", same] == value["resume", f"{ran}, stopped and gone on", same] == "True"
        assert value["resume", f"{ran}, stopped and gone on", "exit code of the stopped one"] == 143
    assert value["agreement", "float32", "largest difference of a probability"] == 0
    assert value["agreement", "bfloat16", "largest difference of a probability"] > 0
    assert value["encode", "flux2", "on the fly, largest difference in grey levels"] == 0
    assert 20 < value["autoencoders", "flux2 in bfloat16", "PSNR against float32, dB"] < 80
    assert value["autoencoders", "flux2 in TF32", "PSNR against float32, dB"] == "inf"
    assert value["unit", "all", "passed"] > 20
    assert ("unit", "all", "failed") not in value


def test_unit_tests_compute_on_the_device_that_they_are_given():
    """They fail on `meta`, whose tensors have no numbers."""
    test = "tests/unit/test_batches.py::test_rows_give_the_same_batches_wherever_they_are_kept"
    output = run(sys.executable, "-m", "pytest", "-q", test, code=1, LEARNABILITY_TEST_DEVICE="meta")
    assert "meta" in output
