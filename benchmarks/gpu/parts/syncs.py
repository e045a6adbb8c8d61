"""Where a training makes the host wait for the device, and how busy steps keep it."""

import collections
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from learnability.training.engine import train_classifier

from ..setting import Figure, Setting
from ..studies import IMAGES, LATENTS, given, recipe_for, stepper

SECONDS = 60
EPOCHS = 3
KERNELS = 6  # the dearest ones are named
WAITED = "called a synchronizing CUDA operation"  # torch also warns that this mode is new, with "synchronizing" in it


def figures(setting: Setting) -> Iterator[Figure]:
    for kind in (LATENTS, IMAGES):
        places = waits(setting, kind)
        text = ", ".join(f"{place} {number / EPOCHS:.3g}" for place, number in places.most_common(10))
        yield Figure(kind, "waits per epoch", sum(places.values()) / EPOCHS)
        yield Figure(kind, "where; as many as steps is one in each", text or "nowhere")
        yield from profiled(setting, kind)


def waits(setting: Setting, kind: str) -> collections.Counter:
    """How often torch says that the host waited in a whole training of some epochs, by file and line."""
    folder = setting.scratch / f"waits_{kind.replace(' ', '_')}"
    recipe = recipe_for(setting, kind, epochs=EPOCHS)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if setting.cuda:
            torch.cuda.set_sync_debug_mode("warn")
        train_classifier(recipe=recipe, seed=0, code="", folder=folder, **given(setting, kind))
        if setting.cuda:
            torch.cuda.set_sync_debug_mode("default")
    found = [each for each in caught if WAITED in str(each.message)]
    return collections.Counter(f"{Path(each.filename).name}:{each.lineno}" for each in found)


def profiled(setting: Setting, kind: str) -> Iterator[Figure]:
    """The share of an epoch's steps in which the device computes, and what it computes longest."""
    step = stepper(setting, kind)
    rows, size = step.data.split["train"], step.recipe.batch_size
    label = torch.from_numpy(step.data.label[rows]).to(setting.device).split(size)

    def epoch() -> int:
        batches = zip(step.data.rows.batches(rows, size), label, strict=True)
        number = sum(1 for x, y in batches if step.on(x, y) is not None)
        setting.wait()
        return number

    epoch()
    cuda = [ProfilerActivity.CUDA] if setting.cuda else []
    with profile(activities=[ProfilerActivity.CPU, *cuda]) as recorded:
        started = time.perf_counter()  # here: to start a profiler of a GPU, and to end it, takes seconds
        steps = epoch()
        seconds = time.perf_counter() - started
    events = recorded.key_averages()
    spent = device_times(events) if setting.cuda else {e.key: e.self_cpu_time_total for e in events}
    yield Figure(kind, "steps of an epoch", steps)
    busy = sum(spent.values()) / 1e6
    yield Figure(kind, "share of time that the device computes, under the profiler", busy / seconds)
    longest = sorted(spent, key=spent.get, reverse=True)[:KERNELS]
    named = [f"{spent[key] / 1e3 / steps:.3g} ms {key[:60]}" for key in longest]
    yield Figure(kind, "longest in a step", "; ".join(named))


def device_times(events) -> dict[str, float]:
    """Microseconds of each kernel or copy; not of annotations, such as Adam's step, which last as long as theirs."""
    on_device = (e for e in events if str(e.device_type).endswith("CUDA") and not e.is_user_annotation)
    return {e.key: e.self_device_time_total for e in on_device}
