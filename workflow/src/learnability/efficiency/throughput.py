"""Samples per second and peak memory of a step: clocks, warm-up and a sweep of batch sizes."""

import math
import platform
import re
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil
import torch

from ..storage.batches import free_memory
from ..storage.out_of_memory import ran_out_of_gpu_memory

PROCESS = Path("/proc/self")

Step = Callable[[], object]  # one forward pass or one training step


@dataclass(frozen=True)
class Timing:
    """`warmup` iterations, then `repeats` rounds of as many iterations as take `seconds`, at least `iterations`."""

    warmup: int
    iterations: int
    seconds: float
    repeats: int


class Measured(NamedTuple):
    """The figures of one batch size; memory in 1e6 bytes. Reserved is what a GPU's driver shows; on a CPU, the peak."""

    samples_per_second: float
    peak_mb: float
    reserved_mb: float


def sweep(
    what: str, prepare: Callable[[int], Step], batch_sizes: list[int], timing: Timing, device: torch.device
) -> dict[int, Measured]:
    """Measure prepare(size)() at rising batch sizes; the first one that does not fit in memory ends the sweep."""
    measured, per_sample = {}, 0.0
    for size in sorted(batch_sizes):
        if device.type == "cuda":
            torch.cuda.empty_cache()  # otherwise the reserved memory of the last batch counts for this one
        resting = psutil.Process().memory_info().rss
        # A kernel rarely refuses memory but kills the process later, so estimate this batch from the last one.
        fits = device.type == "cuda" or size * per_sample < free_memory(device)
        try:
            figures = measure(prepare(size), size, timing, device) if fits else None
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            figures = None
        if figures is None:
            print(f"{what}: a batch of {size} does not fit in memory; the sweep ends there", flush=True)
            break
        measured[size] = figures
        per_sample = max(0.0, figures.peak_mb * 1e6 - resting) / size
        speed, memory = f"{figures.samples_per_second:.4g} samples/s", f"peak {figures.peak_mb:.0f} MB"
        reserved = f", reserved {figures.reserved_mb:.0f} MB" if device.type == "cuda" else ""
        print(f"{what}, batch {size}: {speed}, {memory}{reserved}", flush=True)
    return measured


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out, of a GPU or of the host: PyTorch has only a RuntimeError for the latter."""
    return ran_out_of_gpu_memory(error) or isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error)


def measure(step: Step, batch_size: int, timing: Timing, device: torch.device) -> Measured:
    """Median samples per second and peak memory, after warm-up, of a `step` on `batch_size` samples."""
    for _ in range(timing.warmup):
        step()
    iterations = max(timing.iterations, math.ceil(timing.seconds / elapsed(step, 1, device)))
    reset_peak(device)
    seconds = statistics.median(elapsed(step, iterations, device) for _ in range(timing.repeats))
    return Measured(batch_size * iterations / seconds, *peak_megabytes(device))


def elapsed(step: Step, iterations: int, device: torch.device) -> float:
    """Seconds of `iterations` steps; a GPU takes its own clock, and the host waits only at the end."""
    if device.type == "cuda":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(iterations):
            step()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1000
    started = time.perf_counter()
    for _ in range(iterations):
        step()
    return time.perf_counter() - started


def timing_on(device: torch.device, repeats: int) -> Timing:
    """The timing for a device: a GPU needs many iterations to choose kernels and reach a steady clock, a CPU few."""
    if device.type == "cuda":
        return Timing(warmup=10, iterations=10, seconds=1.0, repeats=repeats)
    return Timing(warmup=2, iterations=1, seconds=0.2, repeats=repeats)


def memory_measure(device: torch.device) -> str:
    """What the peak memory of a figure means, in words for the log and the documents."""
    if device.type == "cuda":
        return "tensors allocated on the GPU, peak after warm-up"
    if reset_peak(device):
        return "resident memory of the process, libraries included, peak after warm-up"
    return "resident memory of the process, libraries included, peak of its whole life: it cannot be reset here"


def reset_peak(device: torch.device) -> bool:
    """Forget the peak memory so far; False if the system does not let a process reset its own."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return True
    try:
        (PROCESS / "clear_refs").write_text("5")  # Linux: sets the high-water mark to what is resident now
    except OSError:
        return False
    return True


def peak_megabytes(device: torch.device) -> tuple[float, float]:
    """Peak since reset_peak in 1e6 bytes: (allocated, reserved) on a GPU; on a CPU, resident memory twice."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6, torch.cuda.max_memory_reserved(device) / 1e6
    status = PROCESS / "status"
    if status.is_file() and (mark := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        kibibytes = int(mark[1])
    else:
        kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kibibytes * 1024 / 1e6, kibibytes * 1024 / 1e6


def device_name(device: torch.device) -> str:
    """The model of the GPU, or that of the CPU with the number of threads in use."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*:\s*(.+)", cpuinfo.read_text()) if cpuinfo.is_file() else None
    name = model[1].strip() if model else platform.machine()
    return f"{name}, {torch.get_num_threads()} thread(s)"
