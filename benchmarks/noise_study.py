"""A study of noise, small or large, for what is measured of it: noise costs a network what any image costs."""

from pathlib import Path

import numpy as np
import pandas as pd

from learnability.storage.arrays import PackedWriter
from learnability.storage.channel_sums import channel_sums
from learnability.storage.contracts import FOLDS, SAMPLES, write_json, write_parquet
from learnability.training.fold_data import Inputs

CLASSES = ["a", "b"]
CELL = {"dataset": "noise", "autoencoder": "noise", "space": "latent", "recipe": "latent", "fold": 0}
# A ConvNeXt of a few thousand weights, for what is measured beside the network.
SMALL = {"model": "convnext_tiny", "model_options": {"depths": [1, 1, 1, 1], "dims": [8, 16, 16, 16]}}
SMALL |= {"stem_patch": 4, "init": "random", "epochs": 1, "batch_size": 64}


def write_images(folder: Path, number: int, size: int) -> None:
    """What prepare_dataset would write, a block at a time."""
    random = np.random.default_rng(0)
    with PackedWriter(folder / "images.npy", (size, size, 3), "uint8") as writer:
        for _ in range(number):
            writer.write(random.integers(0, 256, (1, size, size, 3), np.uint8))
    write_samples(folder, number)
    sizes = {"image_size": size, "classifier_size": size // 2}
    write_json({"dataset": "noise", "digest": writer.digest, "synthetic": True} | sizes, folder / "dataset.json")


def write_latents(folder: Path, number: int, shape: tuple[int, int, int]) -> Inputs:
    """Latents with labels, five folds, and the cards that belong to them: what a training reads."""
    random = np.random.default_rng(0)
    sums = PackedWriter(folder / "channel_sums.npy", (2, shape[0]), "float64")
    with PackedWriter(folder / "latents.npy", shape, "float16") as writer, sums:
        for _ in range(number):
            z = random.standard_normal((1, *shape), np.float32).astype(np.float16)
            writer.write(z)
            sums.write(channel_sums(z))
    names = write_samples(folder, number)
    write_parquet(pd.DataFrame({"sample_id": names, "fold": np.arange(number) % 5})[FOLDS], folder / "folds.parquet")
    card = {"classes": CLASSES, "positive": "b", "digest": "noise", "digest_small": "noise", "synthetic": True}
    write_json(card | {"classifier_size": 32}, folder / "dataset.json")
    encoding = {"dataset_digest": "noise", "role": "control", "digest_latents": writer.digest}
    encoding["digest_channel_sums"] = sums.digest
    write_json(encoding | {"pipeline": {"mean": [0.0], "std": [1.0]}}, folder / "autoencoder.json")
    files = ["latents.npy", "", "folds.parquet", "autoencoder.json", "channel_sums.npy"]
    return Inputs(*(folder / file for file in files))


def write_samples(folder: Path, number: int) -> list[str]:
    names, label = [f"row{i}" for i in range(number)], np.arange(number) // 5 % 2
    samples = pd.DataFrame({"sample_id": names, "label": label, "group": names})
    samples["label_name"] = [CLASSES[k] for k in label]
    write_parquet(samples[SAMPLES], folder / "samples.parquet")
    return names
