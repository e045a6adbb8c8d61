"""A study small enough to train in a second: 100 images in three classes, told apart by their brightness."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from learnability.storage import checkpoints
from learnability.storage.arrays import PackedWriter
from learnability.storage.channel_sums import channel_sums
from learnability.storage.contracts import FOLDS, SAMPLES, write_json, write_parquet
from learnability.training import engine as training
from learnability.training.fold_data import Inputs
from learnability.training.teacher import write_teacher_logits
from tests.devices import DEVICE
from tests.recipes import IMAGE, recipe_of

CLASSES = ["benign", "odd", "rare"]
RESULTS = ("predictions.parquet", "model.safetensors", "history.csv")  # repeatable to the byte
TEST, VALIDATION = (np.arange(k, 100, 5) for k in (1, 2))  # rows; the fold is 1 of 5
TRAIN = np.setdiff1d(np.arange(100), [TEST, VALIDATION])


def write_study(folder: Path) -> Path:
    """Write the data set, its folds, and an encoding with four channels of different scales."""
    random = np.random.default_rng(0)
    label = random.permutation(np.repeat([0, 1, 2], [50, 30, 20]))
    images = (60 + 60 * label)[:, None, None, None] + random.normal(0, 25, (100, 16, 16, 3))
    latents = images[:, :8, :8, :1].transpose(0, 3, 1, 2) / np.reshape([20.0, -50, 9, 1], (4, 1, 1)) + 5
    write_arrays(folder, images.clip(0, 255).astype(np.uint8), latents.astype(np.float16))
    names = [f"image{i:03d}" for i in range(100)]
    samples = pd.DataFrame({"sample_id": names, "label": label, "group": names})
    samples["label_name"] = [CLASSES[k] for k in label]
    write_parquet(samples[SAMPLES], folder / "samples.parquet")
    write_parquet(pd.DataFrame({"sample_id": names, "fold": np.arange(100) % 5})[FOLDS], folder / "folds.parquet")
    return folder


def write_arrays(folder: Path, images: np.ndarray, latents: np.ndarray) -> None:
    """Write images_small.npy, latents.npy and channel_sums.npy, and the cards that hold their digests."""
    packed = {}
    for name, rows in (("images_small", images), ("latents", latents), ("channel_sums", channel_sums(latents))):
        with PackedWriter(folder / f"{name}.npy", rows.shape[1:], rows.dtype.name) as writer:
            writer.write(rows)
        packed[name] = writer.digest
    card = {"classes": CLASSES, "positive": None, "digest": "of images.npy", "synthetic": True, "classifier_size": 16}
    write_json(card | {"digest_small": packed["images_small"]}, folder / "dataset.json")
    encoding = {"dataset_digest": "of images.npy", "role": "control", "digest_latents": packed["latents"]}
    encoding["digest_channel_sums"] = packed["channel_sums"]
    encoding["pipeline"] = {"mean": [0.0], "std": [1.0]}
    write_json(encoding, folder / "autoencoder.json")


def inputs(study: Path, recipe: dict) -> dict:
    """The arguments of load_fold for a recipe: image space for the ResNet, latent space for the ConvNeXt."""
    latent = recipe["model"] == "convnext_tiny"
    space, autoencoder = ("latent", "grey") if latent else ("image", "original")
    return {
        "cell": {"dataset": "lights", "autoencoder": autoencoder, "space": space, "recipe": "tried", "fold": 1},
        "n_splits": 5,
        "inputs": Inputs(
            array=study / ("latents.npy" if latent else "images_small.npy"),
            dataset=study,
            folds=study / "folds.parquet",
            autoencoder_card=study / "autoencoder.json" if latent else None,
            channel_sums=study / "channel_sums.npy" if latent else None,
        ),
        "device": torch.device(DEVICE),
    }


def train(study: Path, folder: str, recipe: dict, seed: int = 1, **files) -> dict[str, bytes]:
    """Train into study/folder and return the bytes that must be repeatable; `files` are further Inputs."""
    given = inputs(study, recipe)
    given["inputs"] = replace(given["inputs"], **files)
    training.train_classifier(recipe=recipe_of(recipe), seed=seed, code="code", folder=study / folder, **given)
    return {name: (study / folder / name).read_bytes() for name in RESULTS}


def interrupt(study: Path, folder: str, recipe: dict, epoch: int, seed: int = 1, **files) -> Path:
    """Train until `epoch` is about to begin; return the checkpoint that remains."""
    whole = training.train_epoch

    def stopped(model, data, recipe, seed, now, *rest):
        if now == epoch:
            raise KeyboardInterrupt
        return whole(model, data, recipe, seed, now, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "SECONDS_BETWEEN_EPOCHS", 0)  # so that every epoch is saved
        patch.setattr(training, "train_epoch", stopped)
        with pytest.raises(KeyboardInterrupt):
            train(study, folder, recipe, seed, **files)
    assert not (study / folder / "predictions.parquet").exists()
    return study / folder / "checkpoint.safetensors"


def teach(study: Path, folder: str, recipe: dict = IMAGE) -> Path:
    """Train a teacher into study/folder and write its logits on the training rows; returns their file."""
    train(study, folder, recipe)
    given = inputs(study, recipe)
    path = study / folder / "teacher_logits.npy"
    write_teacher_logits(study / folder, given["cell"], given["n_splits"], given["inputs"], given["device"], path)
    return path
