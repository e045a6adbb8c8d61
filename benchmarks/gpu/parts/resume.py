"""A training repeated, and one that is stopped by SIGTERM and goes on: on a CPU the same bytes as one that was not."""

import os
import signal
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from learnability.training.engine import OUTPUTS, train_classifier

from ..setting import Figure, Setting
from ..studies import CHANNELS, given, recipe_for

SECONDS = 90
SMALLEST = min(CHANNELS, key=CHANNELS.get)
SAID = "epoch 1/"  # by the engine, after its first epoch


def figures(setting: Setting) -> Iterator[Figure]:
    given(setting, SMALLEST)  # written before any of the trainings reads it
    for name, deterministic in (("as the study trains", False), ("with deterministic kernels", True)):
        folder = setting.scratch / f"resume_{deterministic}"
        once = run(setting, folder / "once", deterministic)
        yield from compared(f"{name}, twice", once, run(setting, folder / "again", deterministic))
        stopped = folder / "stopped"
        code = run(setting, stopped, deterministic, stop=True)
        yield Figure(f"{name}, stopped and gone on", "exit code of the stopped one", code)
        yield from compared(f"{name}, stopped and gone on", once, run(setting, stopped, deterministic))


def run(setting: Setting, folder: Path, deterministic: bool, stop: bool = False) -> dict | int:
    """Train in a process of its own; returns what it wrote, or with `stop` the exit code after SIGTERM."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log.txt"
    # A fork, so that it ends with this part: this process has not asked for the GPU.
    process = get_context("fork").Process(target=train, args=(setting, folder, deterministic, log))
    process.start()
    while stop and process.is_alive() and not (log.is_file() and SAID in log.read_text()):
        time.sleep(0.005)
    if stop and process.is_alive():
        os.kill(process.pid, signal.SIGTERM)
    process.join()
    if stop:
        return process.exitcode
    if process.exitcode:
        raise RuntimeError(f"training in {folder.name} ended with {process.exitcode}: {log.read_text()[-300:]}")
    return {name: (folder / name).read_bytes() for name in OUTPUTS} | {
        "p": pd.read_parquet(folder / "predictions.parquet").select_dtypes("float").to_numpy(),
        "loss": pd.read_csv(folder / "history.csv")["train_loss"].to_numpy(),
    }


def train(setting: Setting, folder: Path, deterministic: bool, log: Path) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    if deterministic:
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # as torch asks for
        torch.use_deterministic_algorithms(True)
    recipe = recipe_for(setting, SMALLEST, epochs=setting.size(6, 4))
    train_classifier(recipe=recipe, seed=1, code="", folder=folder, **given(setting, SMALLEST))


def compared(name: str, first: dict, other: dict) -> Iterator[Figure]:
    yield Figure(name, "weights are the same bytes", str(first["model.safetensors"] == other["model.safetensors"]))
    yield Figure(name, "largest difference of a probability", float(np.abs(first["p"] - other["p"]).max()))
    classes = first["p"].argmax(1) != other["p"].argmax(1)
    yield Figure(name, "share of other classes", float(classes.mean()))
    yield Figure(name, "largest difference of a loss", float(np.abs(first["loss"] - other["loss"]).max()))
