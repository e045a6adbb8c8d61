"""Studies of noise in the published shapes, with a faint signal of the class, and the published recipes on them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from learnability.classifiers.classifier import Classifier, build_classifier
from learnability.storage.arrays import PackedWriter, open_packed
from learnability.storage.channel_sums import channel_sums
from learnability.storage.contracts import FOLDS, write_json, write_parquet
from learnability.study.configuration import read_config
from learnability.study.recipe import Recipe
from learnability.study.recipes import resolve_recipe
from learnability.training import engine
from learnability.training.described import describe_run
from learnability.training.fold_data import Fold, Inputs, load_fold
from learnability.training.losses import build_loss

from ..noise_study import CELL, CLASSES, SMALL, write_samples
from .setting import Setting

N_SPLITS = 5
IMAGES = "images of 256 px"
# Those of SD 1.4, FLUX.1 and FLUX.2, on a grid of 64 x 64.
CHANNELS = {f"latents of {channels} channels": channels for channels in (4, 16, 32)}
LATENTS = "latents of 16 channels"
TINY_RESNET = {"model": "resnet18", "model_options": {"layers": [1, 1, 1, 1], "channels": [8, 16, 16, 16]}}


def recipe_for(setting: Setting, kind: str, **changes) -> Recipe:
    """The recipe of Table 1 for a kind of data, from random weights and without early stopping."""
    values = {"init": "random", "patience": 10**6}
    if setting.tiny:
        network = {key: SMALL[key] for key in ("model", "model_options")} if kind in CHANNELS else TINY_RESNET
        values |= network | {"batch_size": 16}
    return resolve_recipe(read_config(), "latent" if kind in CHANNELS else "image").with_values(values | changes)


def shape_of(setting: Setting, kind: str) -> tuple[int, int]:
    """Channels and side of a row."""
    return (CHANNELS[kind], setting.size(64, 32)) if kind in CHANNELS else (3, setting.size(256, 32))


def given(setting: Setting, kind: str) -> dict:
    """The arguments of train_classifier that say what it reads, and where it runs."""
    space = {} if kind in CHANNELS else {"space": "image", "autoencoder": "original"}
    return {"cell": CELL | space, "n_splits": N_SPLITS, "inputs": inputs_of(setting, kind), "device": setting.device}


def inputs_of(setting: Setting, kind: str) -> Inputs:
    """The files of a study, written by the first part that asks for them."""
    folder, rows = setting.scratch / kind.replace(" ", "_"), setting.size(4096, 100)
    latent = kind in CHANNELS
    array = folder / ("latents.npy" if latent else "images_small.npy")
    of_latents = [folder / "autoencoder.json", folder / "channel_sums.npy"] if latent else []
    inputs = Inputs(array, folder, folder / "folds.parquet", *of_latents)
    if (folder / "dataset.json").is_file():
        return inputs
    folder.mkdir(parents=True, exist_ok=True)
    channels, side = shape_of(setting, kind)
    shape, dtype = ((channels, side, side), "float16") if latent else ((side, side, channels), "uint8")
    digest = write_rows(array, shape, dtype, rows)
    names = write_samples(folder, rows)
    write_parquet(pd.DataFrame({"sample_id": names, "fold": np.arange(rows) % N_SPLITS})[FOLDS], inputs.folds)
    if latent:
        card = {"dataset_digest": "noise", "role": "control", "digest_latents": digest}
        card["digest_channel_sums"] = write_sums(array, inputs.channel_sums)
        write_json(card | {"pipeline": {"mean": [0.0], "std": [1.0]}}, inputs.autoencoder_card)
    card = {"classes": CLASSES, "positive": "b", "digest": "noise", "synthetic": True, "classifier_size": side}
    write_json(card | {"digest_small": "none" if latent else digest}, folder / "dataset.json")
    return inputs


def write_rows(path: Path, shape: tuple[int, int, int], dtype: str, rows: int) -> str:
    """Write noise, brighter in rows of the second class as write_samples labels them; returns the digest."""
    random, block = np.random.default_rng(0), min(rows, 320)
    if dtype == "uint8":
        base, step = random.integers(0, 200, (block, *shape), np.uint8), 6
    else:
        base, step = (2 * random.standard_normal((block, *shape), np.float32)).astype(dtype), 0.3
    with PackedWriter(path, shape, dtype) as writer:
        for start in range(0, rows, block):
            label = np.arange(start, min(start + block, rows)) // 5 % 2
            writer.write(base[: len(label)] + (label * step).astype(dtype).reshape(-1, 1, 1, 1))
    return writer.digest


def write_sums(latents: Path, path: Path) -> str:
    """Write the sums of the channels of latents (storage/channel_sums.py), a block at a time; returns the digest."""
    z = open_packed(latents)
    with PackedWriter(path, (2, z.shape[1]), "float64") as writer:
        for start in range(0, len(z), 320):
            writer.write(channel_sums(z[start : start + 320]))
    return writer.digest


@dataclass
class Stepper:
    """The engine's training step on one batch that lies on the device: call it for a step."""

    model: Classifier
    data: Fold
    recipe: Recipe
    loss: Callable
    x: torch.Tensor
    label: torch.Tensor
    optimiser: torch.optim.Optimizer

    def __call__(self) -> torch.Tensor:
        return self.on(self.x, self.label)

    def on(self, x: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return engine.train_step(self.model, x, label, 1, self.loss, self.optimiser, self.recipe)


def classifier_of(setting: Setting, kind: str, data: Fold) -> Classifier:
    """The classifier of a kind of data with random weights, as the engine builds it."""
    torch.manual_seed(0)
    read = given(setting, kind)
    model = build_classifier(describe_run(read["cell"], recipe_for(setting, kind), 0, data, read["inputs"]))
    return model.to(setting.device, memory_format=torch.channels_last)


def fold_of(setting: Setting, kind: str, keep: bool = True) -> Fold:
    """What the classifier reads; with `keep` False nothing of it stays on the device."""
    read = given(setting, kind)
    return load_fold(read["cell"], N_SPLITS, read["inputs"], setting.device, keep, compare=keep)


def stepper(setting: Setting, kind: str) -> Stepper:
    """The classifier of a kind of data, ready to train on a batch of its recipe's size."""
    recipe, data = recipe_for(setting, kind), fold_of(setting, kind)
    model = classifier_of(setting, kind, data).train()
    rows = np.resize(data.split["train"], recipe.batch_size)
    x = next(data.rows.batches(rows, recipe.batch_size)).clone()
    label = torch.from_numpy(data.label[rows]).to(setting.device)
    loss = build_loss(recipe, engine.class_counts(data), 1.0)
    return Stepper(model, data, recipe, loss, x, label, torch.optim.Adam(model.parameters(), lr=recipe.lr, fused=True))
