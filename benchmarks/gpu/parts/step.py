"""The bare training step on a batch that lies on the device, and what other ways to run the same step give."""

import statistics
import time
from collections.abc import Callable, Iterator

import torch

from ..setting import Figure, Setting, attempted
from ..studies import IMAGES, LATENTS, Stepper, stepper

SECONDS = 75
STEPS = 10


def figures(setting: Setting) -> Iterator[Figure]:
    for kind in (LATENTS, IMAGES):
        yield from ways(setting, kind, stepper(setting, kind))
    if setting.cuda:
        for kind in (LATENTS, IMAGES):  # after all else, because a graph that cannot be recorded may spoil the process
            step = stepper(setting, kind)
            yield from attempted("CUDA graph, times as fast", kind, lambda step=step: graph_gain(setting, step))


def ways(setting: Setting, kind: str, step: Stepper) -> Iterator[Figure]:
    """The step of one kind of data, and what else it could be."""
    samples = len(step.x)
    base = setting.rate(step, samples)
    yield Figure("as the study runs it, samples/s", kind, base)
    yield Figure("milliseconds of a step", kind, samples / base * 1e3)
    yield Figure("of the host alone; close to it, the host is the limit", kind, host_seconds(setting, step) * 1e3)

    def gain(call: Callable[[], object], **flags) -> float:
        with torch.backends.cudnn.flags(enabled=True, **flags):
            return setting.rate(call, samples) / base

    def with_fast_norm() -> float:
        set_fast_norm(step.model, True)
        try:
            return gain(step)
        finally:
            set_fast_norm(step.model, False)

    yield from attempted("cudnn.benchmark, times as fast", kind, lambda: gain(step, benchmark=True))
    yield from attempted("cudnn.deterministic, times as fast", kind, lambda: gain(step, deterministic=True))
    yield from attempted("timm's fast_norm, times as fast", kind, with_fast_norm)


def host_seconds(setting: Setting, step: Stepper) -> float:
    """Seconds that the host takes to ask for a step, without waiting for it, the median of some.

    One at a time: a GPU takes about a thousand kernels ahead, those of one step, and then the host waits.
    """
    seconds = []
    for _ in range(STEPS):
        setting.wait()
        started = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - started)
    setting.wait()
    return statistics.median(seconds)


def set_fast_norm(model: torch.nn.Module, fast: bool) -> None:
    """Let timm's norms compute in bfloat16 under autocast, or in float32 as they do by default."""
    for module in model.modules():
        if hasattr(module, "_fast_norm"):
            module._fast_norm = fast


def graph_gain(setting: Setting, step: Stepper) -> float:
    base = setting.rate(step, len(step.x))
    return setting.rate(graph_of(step).replay, len(step.x)) / base


def graph_of(step: Stepper) -> torch.cuda.CUDAGraph:
    """Forward, backward and Adam of a step as one graph, recorded as torch's documentation asks.

    A graph does not keep what it reads and writes: `step`, which now has another Adam, must live as long.
    """
    step.optimiser = torch.optim.Adam(step.model.parameters(), lr=step.recipe.lr, fused=True, capturable=True)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(4):
            step()
    torch.cuda.current_stream().wait_stream(side)
    step.optimiser.zero_grad(set_to_none=True)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph
