"""The bare training step on latents through torch.compile, and how long its first one takes."""

import time
from collections.abc import Iterator

import torch

from ..setting import Figure, Setting, attempted
from ..studies import LATENTS, stepper

SECONDS = 110  # apart and last, because it may compile for a minute


def figures(setting: Setting) -> Iterator[Figure]:
    step = stepper(setting, LATENTS)
    base = setting.rate(step, len(step.x))
    yield Figure("as the study runs it", "samples/s", base)
    if not setting.cuda:  # a CPU's is compiled by another compiler
        return

    def first() -> float:
        started = time.perf_counter()
        step()
        setting.wait()
        return time.perf_counter() - started

    step.model.network = torch.compile(step.model.network)
    yield from attempted("torch.compile", "seconds of the first step", first)
    yield from attempted("torch.compile", "times as fast", lambda: setting.rate(step, len(step.x)) / base)
