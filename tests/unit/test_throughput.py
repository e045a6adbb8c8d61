"""Clocks and peak memory against steps of known duration and known memory; where a sweep of batch sizes ends."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from learnability.efficiency import throughput
from learnability.efficiency.throughput import Measured, Timing, measure, reset_peak, sweep
from learnability.training import engine as training
from tests.conftest import CHECKOUT, environment_in

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
QUICK = Timing(warmup=1, iterations=2, seconds=0.0, repeats=1)


@pytest.fixture
def spend(monkeypatch):
    """A clock that only a step moves: spend(seconds)."""
    now = [0.0]

    def spend(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(throughput, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    return spend


@pytest.mark.parametrize("batch_size", [1, 20])
def test_a_step_of_known_duration_gives_its_samples_per_second(batch_size, spend):
    figures = measure(lambda: spend(0.02), batch_size, QUICK, CPU)
    assert figures.samples_per_second == pytest.approx(batch_size / 0.02)
    assert figures.reserved_mb == figures.peak_mb > 50


def test_one_slow_repeat_does_not_move_the_median_and_the_warm_up_is_not_timed(spend):
    left = [9.0, 9.0, 9.0] + [0.01] + [0.3] * 2 + [0.01] * 8  # warm-up, the trial, then five repeats of 2
    figures = measure(lambda: spend(left.pop(0)), 1, Timing(warmup=3, iterations=2, seconds=0, repeats=5), CPU)
    assert left == []
    assert figures.samples_per_second == pytest.approx(100)


def test_a_repeat_has_as_many_steps_as_take_its_seconds(spend):
    calls = []
    measure(lambda: calls.append(spend(0.03)), 1, Timing(warmup=1, iterations=2, seconds=0.1, repeats=2), CPU)
    assert len(calls) == 1 + 1 + 2 * 4


PEAKS = """
import numpy as np, torch
from learnability.efficiency.throughput import Timing, measure

def peak(step):
    return measure(step, 1, Timing(warmup=1, iterations=2, seconds=0.0, repeats=1), torch.device("cpu")).peak_mb

quiet = peak(lambda: None)
before = np.ones(200_000_000, np.uint8)
del before
print(quiet, peak(lambda: None), peak(lambda: np.ones(200_000_000, np.uint8)))
"""


@pytest.mark.skipif(not reset_peak(CPU), reason="this system does not let a process reset its peak memory")
def test_the_peak_is_that_of_the_step_and_not_of_what_was_before_it():
    """It runs in its own process, because what other tests leave in memory would disturb it."""
    done = subprocess.run([sys.executable, "-c", PEAKS], env=environment_in(CHECKOUT), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    quiet, again, hungry = map(float, done.stdout.split())
    assert again == pytest.approx(quiet, abs=10)
    assert hungry - quiet == pytest.approx(200, abs=10)
    assert "libraries included, peak after warm-up" in throughput.memory_measure(CPU)


def test_where_the_peak_cannot_be_reset_it_is_that_of_the_whole_life_and_said_so(monkeypatch, tmp_path):
    monkeypatch.setattr(throughput, "PROCESS", tmp_path / "none")  # a system without /proc
    assert "whole life" in throughput.memory_measure(CPU)
    assert throughput.peak_megabytes(CPU)[0] == pytest.approx(training.peak_megabytes(CPU), rel=0.01)


def test_a_gpu_is_timed_by_events_with_one_wait_and_its_peak_begins_after_the_warm_up(monkeypatch):
    """The test checks the order of the calls; the device is imitated."""
    calls = []

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            calls.append("record")

        def synchronize(self):
            calls.append("wait")

        def elapsed_time(self, end):
            return 500.0  # ms

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: calls.append("reset"))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 166e6)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: 200e6)
    timing = Timing(warmup=10, iterations=3, seconds=0, repeats=2)
    figures = measure(lambda: calls.append("step"), 8, timing, CUDA)
    timed = ["record", "step", "step", "step", "record", "wait"]
    assert calls == ["step"] * 10 + ["record", "step", "record", "wait", "reset"] + timed * 2
    assert figures == Measured(samples_per_second=8 * 3 / 0.5, peak_mb=166, reserved_mb=200)
    assert throughput.timing_on(CUDA, 5).warmup >= 10


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
    ],
)
@pytest.mark.parametrize("fails_in", ["prepare", "step"])
def test_the_first_batch_that_does_not_fit_ends_the_sweep_and_the_log_says_so(error, fails_in, capsys):
    def fail():
        raise error

    def prepare(size):
        if size == 64 and fails_in == "prepare":
            fail()
        return fail if size == 64 else lambda: None

    assert list(sweep("training", prepare, [256, 1, 64, 8], QUICK, CPU)) == [1, 8]
    assert "training: a batch of 64 does not fit in memory; the sweep ends there\n" in capsys.readouterr().out


def test_a_real_allocation_that_fails_is_seen_as_one():
    def step():
        torch.empty(2**61, dtype=torch.uint8)

    assert sweep("inference", lambda size: step, [1], QUICK, CPU) == {}


def test_any_other_error_is_not_swallowed():
    def step():
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        sweep("inference", lambda size: step, [1], QUICK, CPU)


@pytest.mark.skipif(not reset_peak(CPU), reason="this system does not let a process reset its peak memory")
def test_on_a_cpu_a_batch_that_would_take_all_memory_is_not_tried(monkeypatch):
    monkeypatch.setattr(throughput, "free_memory", lambda device: 200_000_000)
    tried = []

    def prepare(size):
        tried.append(size)
        return lambda: np.ones(20_000_000 * size, np.uint8)

    assert list(sweep("inference", prepare, [2, 4, 64], QUICK, CPU)) == [2, 4]
    assert tried == [2, 4]
