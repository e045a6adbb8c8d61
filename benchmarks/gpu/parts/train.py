"""Trainings of Table 1 through the engine: samples per second, memory, and what a job does besides its epochs."""

import time
from collections.abc import Iterator

import torch

from learnability.planning.networks import classifier_operations
from learnability.storage.contracts import read_json
from learnability.training.engine import train_classifier

from ..setting import Figure, Setting
from ..studies import CHANNELS, IMAGES, LATENTS, given, recipe_for, shape_of
from .machine import peaks

SECONDS = 130
ORDER = (LATENTS, IMAGES, *(kind for kind in CHANNELS if kind != LATENTS))


def figures(setting: Setting) -> Iterator[Figure]:
    for kind in ORDER:
        yield from training(setting, kind)


def training(setting: Setting, kind: str) -> Iterator[Figure]:
    read = given(setting, kind)
    epochs = setting.size(20 if kind in CHANNELS else 5, 2)
    # The first one warms up: libraries are loaded, and kernels chosen.
    train_classifier(
        recipe=recipe_for(setting, kind, epochs=1), seed=0, code="", folder=setting.scratch / "warm", **read
    )
    if setting.cuda:
        torch.cuda.reset_peak_memory_stats()
    recipe, folder = recipe_for(setting, kind, epochs=epochs), setting.scratch / f"run_{kind.replace(' ', '_')}"
    started = time.perf_counter()
    train_classifier(recipe=recipe, seed=0, code="", folder=folder, **read)
    seconds = time.perf_counter() - started
    metrics = read_json(folder / "metrics.json")
    rate = metrics["train_samples_per_second"]
    yield Figure(kind, "network", recipe.model)
    yield Figure(kind, "samples/s", rate)
    # Forward and backward are three forward passes.
    operations = 3 * classifier_operations(recipe, *shape_of(setting, kind), 2)[0] * rate
    yield Figure(kind, "TFLOP/s", operations / 1e12)
    if promised := peaks(setting):
        yield Figure(kind, "share of the peak in bfloat16", operations / promised[0])
    yield Figure(kind, "peak MB", metrics["train_peak_mb"])
    in_epochs = epochs * metrics["n_train"] / rate
    yield Figure(kind, "seconds of the job", seconds)
    yield Figure(kind, "share of it in training steps", in_epochs / seconds)
