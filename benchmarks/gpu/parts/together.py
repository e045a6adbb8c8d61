"""Several trainings on one card at a time: samples per second of all of them."""

import time
from collections.abc import Iterator
from multiprocessing import get_context

from ..setting import Figure, Setting
from ..studies import CHANNELS, given, stepper

SECONDS = 60
SMALLEST = min(CHANNELS, key=CHANNELS.get)
STEPS = 5  # between two looks at the clock


def figures(setting: Setting) -> Iterator[Figure]:
    given(setting, SMALLEST)  # written before any of them reads it
    alone = None
    for number in (1, 2) if setting.tiny else (1, 2, 4):
        rate = together(setting, number)
        alone = alone or rate
        yield Figure(f"{number} at a time", "samples/s of all", rate)
        yield Figure(f"{number} at a time", "times one", rate / alone)


def together(setting: Setting, number: int) -> float:
    """The sum of the rates of as many processes, which begin to count at once."""
    context = get_context("fork")  # this process has not asked for the GPU
    ready, rates = context.Barrier(number), context.Queue()
    processes = [context.Process(target=report, args=(setting, ready, rates)) for _ in range(number)]
    for process in processes:
        process.start()
    total = 0.0
    for _ in processes:
        if isinstance(rate := rates.get(timeout=SECONDS), str):  # the others would wait for it
            raise RuntimeError(f"one of {number} failed: {rate}")
        total += rate
    for process in processes:
        process.join()
    return total


def report(setting: Setting, ready, rates) -> None:
    """In a process: put its rate into `rates`, or why there is none."""
    try:
        rates.put(rate_of_steps(setting, ready))
    except Exception as error:
        rates.put(f"{type(error).__name__}: {error}")


def rate_of_steps(setting: Setting, ready) -> float:
    step = stepper(setting, SMALLEST)
    for _ in range(STEPS):
        step()
    setting.wait()
    ready.wait()
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < setting.size(3, 1):
        for _ in range(STEPS):
            step()
        setting.wait()
        done += STEPS * len(step.x)
    return done / (time.perf_counter() - started)
