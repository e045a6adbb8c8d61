"""What surrounds the parts of the GPU check: failures, what is kept, the page, and the rates of `plan`."""

import shutil
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import yaml

from benchmarks.gpu import runner, studies
from benchmarks.gpu.__main__ import MEASURED, PAGE
from benchmarks.gpu.page import NOT_RUN, ON_CPU, TINY, page
from benchmarks.gpu.parts import autoencoders
from benchmarks.gpu.parts.unit import read
from benchmarks.gpu.rates import with_measured
from benchmarks.gpu.results import DONE, Results, figures_of, stored
from benchmarks.gpu.runner import PARTS, part_of, run_parts
from benchmarks.gpu.setting import Figure, Setting, attempted
from learnability.planning import rates
from learnability.planning.costs import Plan
from learnability.planning.dag import Job
from learnability.planning.rates import GPUS, Sustained, sustained_operations
from learnability.study.configuration import read_config
from learnability.training.described import describe_run
from tests.conftest import run
from tests.devices import compute_on

H100 = "NVIDIA H100 80GB HBM3"
PARTS_THAT_END = {
    "well": "yield Figure('a', 'b', 2.0)",
    "in_error": "yield Figure('a', 'b', 1.0); raise ValueError('no kernel for this')",
    "dead": "yield Figure('a', 'b', 1.0); import time; time.sleep(0.5); import os; os._exit(7)",
    "late": "yield Figure('a', 'b', 1.0); import time; time.sleep(60)",
}


@pytest.fixture
def setting(tmp_path, monkeypatch) -> Setting:
    """The check on the CPU, with parts that a test adds to the package's folder of parts."""
    for name, body in PARTS_THAT_END.items():
        file = tmp_path / "benchmarks/gpu/parts" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        first = "from benchmarks.gpu.setting import Figure\nSECONDS = 3\n\n\n"
        file.write_text(f"{first}def figures(setting):\n    {body}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(runner, "PRELOADED", ("benchmarks.gpu.runner",))
    monkeypatch.setattr(runner, "identity_of", lambda setting: "of this code")
    return Setting(torch.device("cpu"), True, tmp_path)


def test_a_part_that_ends_badly_keeps_its_figures_and_the_others_run(setting, tmp_path):
    results = Results(tmp_path / "raw", "CPU", tiny=True)
    run_parts(["in_error", "dead", "late", "well"], setting, results, seconds=120)
    parts = stored(tmp_path / "raw")[0]["parts"]  # as stored on the disk
    ends = {name: part["ended"] for name, part in parts.items()}
    assert ends["in_error"].startswith("failed: Traceback")
    assert "ValueError: no kernel for this" in ends["in_error"]
    assert (ends["dead"], ends["late"], ends["well"]) == ("failed: its process ended with 7", "stopped after 3 s", DONE)
    assert [len(figures_of(part)) for part in parts.values()] == [1, 1, 1, 1]
    again = Results(tmp_path / "raw", "CPU", tiny=True)
    assert [name for name in parts if again.has(name, "of this code")] == ["well"]
    assert not again.has("well", "of other code")


@pytest.mark.parametrize("changed", ["noise_study.py", "gpu/studies.py", "gpu/parts/machine.py"])
def test_figures_are_measured_anew_where_a_file_changed_that_any_part_uses(tmp_path, monkeypatch, changed):
    shutil.copytree(Path(runner.__file__).parent.parent, tmp_path / "benchmarks")
    monkeypatch.setattr(runner, "HERE", tmp_path / "benchmarks/gpu")
    given = Setting(torch.device("cpu"), True, tmp_path)
    before = runner.identity_of(given)
    assert runner.identity_of(given) == before
    with (tmp_path / "benchmarks" / changed).open("a") as file:
        file.write("# changed")
    assert runner.identity_of(given) != before


def test_a_part_for_which_no_time_is_left_is_not_begun(setting, tmp_path, capsys):
    results = Results(tmp_path / "raw", "CPU", tiny=True)
    run_parts(["well"], setting, results, seconds=5)
    assert results.parts == {}
    assert "well: left out, 5 s are left" in capsys.readouterr().out


STOPPED = """
import os, pathlib, signal, sys, time
from benchmarks.gpu import __main__ as command
from benchmarks.gpu.results import Results
from benchmarks.gpu.setting import Figure

def check(chosen, raw):
    results = Results(raw, "CPU", tiny=True)
    results.begin("step", "of this code")
    results.add("step", Figure("a", "b", 2.0))
    try:
        os.kill(os.getpid(), signal.SIGTERM)  # as at the end of an allocation
        time.sleep(60)
    finally:
        print("the part is ended")

command.check = check
sys.argv[1:] = ["--device", "cpu", "--tiny", "--raw", sys.argv[1]]
sys.exit(command.main())
"""


def test_a_command_that_is_stopped_ends_its_part_and_writes_what_there_is(tmp_path):
    said = run(sys.executable, "-c", STOPPED, tmp_path / "raw", code=143)
    assert "the part is ended" in said
    shown = (tmp_path / "raw.md").read_text()
    assert "**killed**" in shown
    assert "| a | 2 |" in shown


def test_a_figure_that_fails_says_how_and_the_next_is_tried():
    def fail():
        raise RuntimeError("CUDA error\nand more")

    (figure,) = attempted("graph", "gain", fail)
    assert figure == Figure("graph", "gain", "failed: RuntimeError: CUDA error")
    assert list(attempted("graph", "gain", lambda: 2.0)) == [Figure("graph", "gain", 2.0)]


ASKS_FOR_A_GPU = """
import importlib, pathlib, sys, torch
torch._C._cuda_getDeviceCount = lambda: sys.exit("asked for the GPUs")
from benchmarks.gpu import runner, studies
from benchmarks.gpu.setting import Setting
for name in (*runner.PRELOADED, *(f"benchmarks.gpu.parts.{part}" for part in runner.PARTS)):
    importlib.import_module(name)
setting = Setting(torch.device("cuda"), True, pathlib.Path(sys.argv[1]))
print([studies.given(setting, kind) and studies.recipe_for(setting, kind).model for kind in studies.CHANNELS])
"""


def test_no_process_that_is_forked_has_asked_for_a_gpu(tmp_path):
    """Otherwise CUDA would not work in the fork. Parts are forked, and some parts fork trainings."""
    assert "convnext_tiny" in run(sys.executable, "-c", ASKS_FOR_A_GPU, tmp_path)


def test_autoencoders_are_measured_in_the_memory_layout_of_the_study(tmp_path, monkeypatch):
    laid_out = []

    def noted(setting, name, model):
        convolutions = [layer for layer in model.model.modules() if isinstance(layer, torch.nn.Conv2d)]
        laid_out.append(all(each.weight.is_contiguous(memory_format=torch.channels_last) for each in convolutions))
        return ()

    monkeypatch.setattr(autoencoders, "precisions", noted)
    figures = list(autoencoders.figures(Setting(torch.device("cpu"), True, tmp_path)))
    assert laid_out == [True] * len(autoencoders.NAMES)
    assert [figure.what for figure in figures] == ["channels first, times as fast"]


def test_the_outcomes_of_unit_tests_are_read_from_one_process_and_from_several():
    log = """
tests/unit/test_a.py::test_one PASSED                                     [ 25%]
tests/unit/test_a.py::test_two[a b] FAILED                                [ 50%]
[gw1] [ 75%] PASSED tests/unit/test_b.py::test_three
[gw0] [100%] ERROR tests/unit/test_b.py::test_four
/a/tests/unit/test_a.py:3: TypeError: can't convert cuda:0 device type tensor to numpy
=========================== short test summary info ============================
FAILED tests/unit/test_a.py::test_two[a b] - TypeError: can't convert - at all
ERROR tests/unit/test_b.py::test_four
"""
    outcomes, reasons = read(log)
    names = ("test_a.py::test_one", "test_a.py::test_two[a b]", "test_b.py::test_three", "test_b.py::test_four")
    assert outcomes == dict(
        zip((f"tests/unit/{name}" for name in names), ("PASSED", "FAILED", "PASSED", "ERROR"), strict=True)
    )
    assert reasons == {"tests/unit/test_a.py::test_two[a b]": "TypeError: can't convert - at all"}


def test_every_part_has_figures_and_a_limit():
    assert {name: part_of(name).SECONDS > 0 and callable(part_of(name).figures) for name in PARTS} == dict.fromkeys(
        PARTS, True
    )


def test_a_classifier_of_latents_has_the_moments_of_its_training_rows(tmp_path):
    small = Setting(torch.device("cpu"), True, tmp_path)
    read, data = studies.given(small, kind := "latents of 4 channels"), studies.fold_of(small, kind)
    description = describe_run(read["cell"], studies.recipe_for(small, kind), 0, data, read["inputs"])
    z = np.load(tmp_path / "latents_of_4_channels/latents.npy")[data.split["train"]].astype(np.float64)
    np.testing.assert_allclose(description["mean"], z.mean(axis=(0, 2, 3)))
    np.testing.assert_allclose(np.array(description["std"]) * description["latent_std"], z.std(axis=(0, 2, 3)))


def test_the_committed_page_and_rates_are_those_of_the_stored_results():
    assert PAGE.read_text(encoding="utf-8") == page(stored(MEASURED))
    text = GPUS.read_text(encoding="utf-8")
    assert yaml.safe_load(with_measured(text, stored(MEASURED))) == yaml.safe_load(text)


def result(device: str, tiny: bool, ended: str = DONE) -> dict:
    """A file of results: two networks, one of them on two kinds of data, and an autoencoder in two precisions."""
    trained = [("few", "network", "convnext_tiny"), ("few", "TFLOP/s", 30.0), ("many", "network", "convnext_tiny"),
               ("many", "TFLOP/s", 40.5), ("images", "network", "resnet50"), ("images", "TFLOP/s", 70.0)]  # fmt: skip
    coded = [("flux2 in bfloat16", "class", "AutoencoderKLFlux2"), ("flux2 in bfloat16", "TFLOP/s", 200.0),
             ("flux2 in TF32", "class", "AutoencoderKLFlux2"), ("flux2 in TF32", "TFLOP/s", 55.0)]  # fmt: skip
    usual = {"identity": "0" * 64, "date": "1 May 2027", "torch": "3.0", "seconds": 61.2}
    parts = {
        "train": usual | {"ended": DONE, "figures": trained},
        "autoencoders": usual | {"ended": ended, "figures": coded},
    }
    return {"device": device, "tiny": tiny, "parts": parts}


def test_the_page_shows_a_row_for_each_thing_and_what_is_no_measurement():
    shown = page([result(H100, tiny=False)])
    assert NOT_RUN not in shown
    assert TINY not in shown
    assert f"\n## {H100}\n" in shown
    assert "\n|  | network | TFLOP/s |\n| --- | --- | --- |\n| few | convnext_tiny | 30 |\n" in shown
    assert "1 May 2027, torch 3.0, code 000000000000, 61 s." in shown
    tiny = page([result("CPU", tiny=True), result(H100, tiny=True)])
    assert NOT_RUN in tiny
    assert tiny.count(TINY) == 2
    assert ON_CPU in page([result("CPU", tiny=False)])
    failed = page([result(H100, tiny=False, ended="failed: Traceback\n  ValueError: x|y")])
    assert "**failed: Traceback**" in failed
    assert "ValueError: x|y" in failed


def test_measured_rates_replace_an_estimate(tmp_path, monkeypatch):
    entry = f"{{bfloat16: 1.0e+14, tf32: 2.0e+13, like: {H100}, source: a guess}}"
    estimated = f"# How it is read.\nNVIDIA H200: {entry}\n"
    monkeypatch.setattr(rates, "GPUS", tmp_path / "gpus.yaml")
    rates.GPUS.write_text(estimated)
    before = sustained_operations()["NVIDIA H200"]
    assert (before.source, before.of_classifier("resnet50"), before.of_autoencoder("any")) == ("a guess", 1e14, 2e13)
    no_measurements = [result(H100, tiny=True), result("CPU", tiny=False), result(H100, False, "stopped after 9 s")]
    assert yaml.safe_load(with_measured(estimated, no_measurements)) == yaml.safe_load(estimated)
    rates.GPUS.write_text(with_measured(estimated, [result(H100, tiny=False)]))
    assert rates.GPUS.read_text().startswith("# How it is read.\n")
    found = sustained_operations()
    h100, h200 = found[H100], found["NVIDIA H200"]
    assert (h100.of_classifier("convnext_tiny"), h100.of_classifier("resnet50")) == (3e13, 7e13)  # the slowest of each
    assert (h100.of_classifier("vit"), h100.of_autoencoder("AutoencoderKLFlux2")) == (3e13, 5.5e13)
    assert h100.source == "measured on 1 May 2027 by make gpu-check (docs/measurements/gpu.md)"
    assert h200.source == f"no slower than {H100}, {h100.source}"
    assert (h200.networks, h200.bfloat16) == (h100.networks, 3e13)


def test_a_plan_takes_the_rate_of_each_network():
    config, usual = read_config(), {"bfloat16": 1e14, "tf32": 2e13, "source": "a test"}
    measured = Sustained(**usual, networks={"convnext_tiny": 2e13, "AutoencoderKLFlux2": 1e13})
    names = {"dataset": "cardium", "autoencoder": "flux2"}
    training = Job("train_classifier", names | {"recipe": "latent", "fold": "0", "space": "latent"}, 2, (), ())
    encoding = Job("encode_dataset", names | {"of_fold": ""}, 2, (), ())
    plans = [Plan(config, "a GPU", [], {"a GPU": sustained}) for sustained in (Sustained(**usual), measured)]
    read = 6558 * 32 * 64 * 64 * 2 / 5e8  # of the training's array
    before, after = ([plan.cost(job).seconds for job in (training, encoding)] for plan in plans)
    assert after == pytest.approx([5 * (before[0] - read) + read, 2 * before[1]])


def test_results_hold_what_json_has_no_number_for(tmp_path):
    results = Results(tmp_path, "CPU", tiny=False)
    results.begin("well", "code")
    results.add("well", Figure("a", "PSNR", float("inf")))
    assert figures_of(stored(tmp_path)[0]["parts"]["well"]) == [Figure("a", "PSNR", "inf")]


def test_the_constant_that_names_the_cpu_becomes_the_device():
    modules = [ModuleType("of the CPU"), ModuleType("of both"), ModuleType("of none")]
    modules[0].CPU = modules[1].CPU = torch.device("cpu")
    modules[1].CUDA = torch.device("cuda")
    compute_on("meta", modules)
    assert modules[0].CPU.type == "meta"
    assert modules[1].CPU.type == "cpu"
    assert not hasattr(modules[2], "CPU")
