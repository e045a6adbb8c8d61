"""What parts of the GPU check make of what torch and pytest report on a GPU, where tests have none."""

import contextlib
import signal
import sys
import time
import warnings
import weakref
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from benchmarks.gpu import __main__ as command
from benchmarks.gpu.parts import encode, machine, step, syncs, together, unit
from benchmarks.gpu.setting import Setting
from learnability.autoencoders import encode as encoding
from tests.conftest import run

NEW_MODE = "Synchronization debug mode is a prototype feature and does not yet detect all synchronizing operations"


@pytest.fixture
def tiny(tmp_path) -> Setting:
    return Setting(torch.device("cpu"), True, tmp_path)


def test_only_waits_of_the_host_are_counted(tmp_path, monkeypatch):
    def train_classifier(**_):
        warnings.warn("called a synchronizing CUDA operation", stacklevel=1)

    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", lambda mode: warnings.warn(NEW_MODE, stacklevel=1))
    monkeypatch.setattr(syncs, "train_classifier", train_classifier)
    monkeypatch.setattr(syncs, "given", lambda *_: {})
    found = syncs.waits(Setting(torch.device("cuda"), True, tmp_path), syncs.LATENTS)
    assert [(place.split(":")[0], number) for place, number in found.items()] == [("test_gpu_check_parts.py", 1)]


def test_the_mode_that_finds_waits_warns_of_itself_as_if_it_were_one():
    """If torch stops, or words a wait differently, the count needs another look."""
    assert "synchroniz" in NEW_MODE
    assert syncs.WAITED not in NEW_MODE


def test_an_annotation_is_no_work_of_the_device():
    """On a GPU, `Optimizer.step#Adam.step` lasts as long as the kernels in it, which the profiler lists too."""
    names = ("key", "device_type", "is_user_annotation", "self_device_time_total")
    rows = [
        ("adam", "DeviceType.CUDA", False, 5.0),
        ("Optimizer.step#Adam.step", "DeviceType.CUDA", True, 5.0),
        ("aten::add", "DeviceType.CPU", False, 0.0),
    ]
    events = [SimpleNamespace(**dict(zip(names, row, strict=True))) for row in rows]
    assert syncs.device_times(events) == {"adam": 5.0}


def test_adam_s_step_is_an_annotation_of_the_profiler(tiny):
    stepper = step.stepper(tiny, step.LATENTS)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as recorded:
        stepper()
    noted = {event.key: event.is_user_annotation for event in recorded.key_averages()}
    assert noted["Optimizer.step#Adam.step"]
    assert not noted["aten::mul"]


def test_the_time_that_a_profiler_takes_to_start_and_end_is_not_that_of_an_epoch(tiny, monkeypatch):
    class Slow(torch.profiler.profile):
        def start(self):
            super().start()
            time.sleep(2)

        def stop(self):
            time.sleep(2)
            super().stop()

    monkeypatch.setattr(syncs, "profile", Slow)
    found = {figure.what: figure.value for figure in syncs.profiled(tiny, syncs.LATENTS)}
    assert found["share of time that the device computes, under the profiler"] > 0.5


def test_the_host_alone_is_timed_while_the_device_takes_what_it_is_asked(tmp_path):
    """The device of this test takes one step ahead: then asking for another takes as long as a step."""
    ahead: list[str] = []

    class Queue(Setting):
        def wait(self) -> None:
            ahead.clear()

    def ask() -> None:
        time.sleep(0.05 if ahead else 0)
        ahead.append("a step")

    assert step.host_seconds(Queue(torch.device("cpu"), True, tmp_path), ask) < 0.01


def test_what_an_encoding_does_once_is_not_counted_for_its_images(tiny, monkeypatch):
    check = encoding.check_repeats
    monkeypatch.setattr(encoding, "check_repeats", lambda *given: time.sleep(4) or check(*given))
    passes, precisions = encode.passes, []

    def noted(*given):
        precisions.append(torch.get_float32_matmul_precision())
        passes(*given)

    monkeypatch.setattr(encode, "passes", noted)
    torch.set_float32_matmul_precision("highest")  # as in a process of its own
    found = {figure.what: figure.value for figure in encode.figures(tiny)}
    assert found["encode_dataset over them"] < 4 / (6 / found["bare passes, images/s"])
    assert set(precisions) == {"high"}


def test_a_training_that_fails_beside_others_ends_the_part_and_says_why(tiny, monkeypatch):
    def stepper(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(together, "stepper", stepper)
    monkeypatch.setattr(together, "SECONDS", 20)
    with pytest.raises(RuntimeError, match="one of 1 failed: OutOfMemoryError: CUDA out of memory"):
        together.together(tiny, 1)


def test_what_a_graph_reads_lives_as_long_as_its_step(tiny, monkeypatch):
    """A graph that is replayed writes to the moments of its Adam, whose memory may be another tensor's by then."""
    for name in ("Stream", "CUDAGraph"):
        monkeypatch.setattr(torch.cuda, name, lambda: SimpleNamespace(wait_stream=lambda other: None))
    monkeypatch.setattr(torch.cuda, "current_stream", torch.cuda.Stream)
    for name in ("stream", "graph"):
        monkeypatch.setattr(torch.cuda, name, lambda _: contextlib.nullcontext())
    made, adam = [], torch.optim.Adam
    monkeypatch.setattr(torch.optim, "Adam", lambda *given, **named: made.append(adam(*given, **named)) or made[-1])
    stepper = step.stepper(tiny, step.LATENTS)
    made.clear()
    step.graph_of(stepper)
    written = [weakref.ref(moment["exp_avg"]) for moment in made.pop().state.values()]
    assert len(written) == len(list(stepper.model.parameters()))
    assert all(moment() is not None for moment in written)


def test_a_part_of_a_card_is_not_held_against_the_peak_of_the_card(tmp_path, monkeypatch):
    names = ["NVIDIA H100 80GB HBM3", "NVIDIA H100 80GB HBM3 MIG 1g.10gb", "NVIDIA H100 PCIe"]
    monkeypatch.setattr(machine, "device_name", lambda device: names.pop(0))
    gpu = Setting(torch.device("cuda"), True, tmp_path)
    assert [machine.peaks(gpu) for _ in range(3)] == [(989e12, 494e12), None, None]


def test_a_missing_package_is_named_before_anything_is_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    monkeypatch.setattr(sys, "argv", ["gpu", "--device", "cpu", "--tiny", "--raw", str(tmp_path / "raw")])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    assert "has no jsonschema; install what envs/requirements.in names" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["cpu", "cuda"], ids=["one process", "several"])
def test_a_test_file_that_cannot_be_imported_leaves_the_others(tmp_path, monkeypatch, kind):
    folder = tmp_path / "tests/unit"
    folder.mkdir(parents=True)
    (folder / "test_a.py").write_text("import a_package_that_is_not_here\n")
    (folder / "test_b.py").write_text("def test_one(): pass\ndef test_two(): assert False\n")
    monkeypatch.setattr(unit, "ROOT", tmp_path)
    monkeypatch.setattr(unit, "PROCESSES", 2)
    output, ended = unit.run(Setting(torch.device(kind), True, tmp_path), sorted(folder.iterdir()))
    outcomes, reasons = unit.read(output)
    assert ended
    tests = {"tests/unit/test_b.py::test_one": "PASSED", "tests/unit/test_b.py::test_two": "FAILED"}
    assert outcomes == {"tests/unit/test_a.py": "ERROR"} | tests
    assert reasons["tests/unit/test_b.py::test_two"] == "assert False"


def test_failures_within_the_package_are_told_from_those_of_the_tests_themselves(tiny, monkeypatch):
    log = """
tests/unit/test_a.py::test_one FAILED                                     [ 50%]
tests/unit/test_a.py::test_two FAILED                                     [100%]
/a/tests/unit/test_a.py:3: TypeError: can't convert cuda:0 device type tensor to numpy
/a/workflow/src/learnability/storage/batches.py:7: RuntimeError: on the CPU
/a/workflow/src/learnability/storage/batches.py:7: RuntimeError: on the CPU
"""
    monkeypatch.setattr(unit, "run", lambda *_: (log, True))
    place = "learnability/storage/batches.py:7"
    found = [tuple(figure) for figure in unit.figures(tiny) if figure.of == place]
    assert found == [(place, "failures that end there", 2), (place, "why", "RuntimeError: on the CPU")]


def test_tests_that_are_stopped_say_why_those_failed_that_ran(tiny, tmp_path, monkeypatch):
    folder = tmp_path / "tests/unit"
    folder.mkdir(parents=True)
    text = "import time\ndef test_one(): raise ValueError('of the GPU')\ndef test_two(): time.sleep(60)\n"
    (folder / "test_a.py").write_text(text)
    monkeypatch.setattr(unit, "ROOT", tmp_path)
    output, ended = unit.run(replace(tiny, seconds=unit.TO_SUM_UP + 15), [folder / "test_a.py"])
    assert not ended
    assert unit.read(output)[1] == {"tests/unit/test_a.py::test_one": "ValueError: of the GPU"}


KILLED = """
import os, pathlib, signal, sys, threading, time, torch
sys.path.insert(0, sys.argv[1])
from benchmarks.gpu import runner
from benchmarks.gpu.results import Results
from benchmarks.gpu.setting import Setting

runner.PRELOADED = ()
folder = pathlib.Path(sys.argv[1])

def kill():
    while not (folder / "child").is_file():
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGKILL)

threading.Thread(target=kill).start()
results = Results(folder / "raw", "CPU", tiny=True)
results.begin("endless", "code")
runner.run_part("endless", Setting(torch.device("cpu"), True, folder), results, 60)
"""
ENDLESS = """
import subprocess

SECONDS = 60

def figures(setting):
    child = subprocess.Popen(["sleep", "60"])
    (setting.scratch / "child").touch()
    child.wait()
    yield
"""


def test_a_command_that_is_killed_leaves_nothing_on_the_gpu(tmp_path):
    part = tmp_path / "benchmarks/gpu/parts/endless.py"
    part.parent.mkdir(parents=True)
    part.write_text(ENDLESS)
    before = time.monotonic()
    run(sys.executable, "-c", KILLED, tmp_path, code=-signal.SIGKILL)  # returns once its last process has gone
    assert time.monotonic() - before < 45
