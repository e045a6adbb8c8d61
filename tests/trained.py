"""A run's folder like that of train_classifier, with random weights, for commands such as `learnability score`."""

from pathlib import Path

import numpy as np
import torch

from learnability.autoencoders.latent_units import IDENTITY, units_on_grid
from learnability.classifiers.classifier import build_classifier, image_moments
from learnability.storage.checkpoints import write_tensors
from learnability.storage.contracts import write_json
from learnability.study.options import noise_options

CLASSES = ["benign", "melanoma", "nevus"]
NOISE = noise_options({"family": "edm", "draw": "lognormal"})
SMALL = {"depths": [1, 1, 1, 1], "dims": [8, 8, 16, 16]}


def describe_run(channels: int = 4, side: int = 8, pipeline: dict = IDENTITY, **changes) -> dict:
    """model.json of a small ConvNeXt on latents, with noise that is isotropic in the units of `pipeline`."""
    std = np.linspace(1, 3, channels)  # no two channels are alike
    unit = units_on_grid(pipeline, channels)[1] / std[:, None, None]
    return {
        "dataset": "skin", "autoencoder": "tiny", "space": "latent", "recipe": "noise_conditioned", "fold": 0,
        "model": "convnext_tiny", "model_options": SMALL, "stem_patch": 1, "init": "random", "head": "linear",
        "film": True, "noise": NOISE, "noise_unit": unit.tolist(), "latent_std": 0.5, "in_channels": channels,
        "grid": [side, side], "classes": CLASSES, "mean": np.linspace(-1, 1, channels).tolist(), "std": std.tolist(),
        "seed": 0, "synthetic": True,
    } | changes  # fmt: skip


def image_run(**changes) -> dict:
    """model.json of a small ConvNeXt on images of 32 px."""
    mean, std = image_moments()
    clean = {"film": False, "noise": None, "noise_unit": None, "stem_patch": None}
    fixed = {"space": "image", "autoencoder": "original", "recipe": "image", "mean": mean, "std": std}
    return describe_run(3, 32) | clean | fixed | changes


def write_run(folder: Path, description: dict) -> Path:
    """Write model.json and model.safetensors; the weights are random, and large enough for the classes to differ."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build_classifier(description)
        for parameter in model.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    write_tensors(model.state_dict(), folder / "model.safetensors")
    write_json(description, folder / "model.json")
    return folder
