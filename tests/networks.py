"""Tiny classifiers that several tests build, described as model.json describes one."""

import numpy as np
import torch

from learnability.study.options import noise_options

CONVNEXT = {"depths": [1, 1, 1, 1], "dims": [8, 16, 32, 64]}
RESNET = {"layers": [1, 1, 1, 1], "channels": [8, 16, 32, 64]}
GRID = {"family": "edm", "draw": "grid"}


def described(channels: int, model: str = "convnext_tiny", side: int = 32, options: dict | None = None, **keys) -> dict:
    """Describe a classifier of latents with three classes; `keys` replace defaults."""
    if keys.get("noise"):
        keys["noise"] = noise_options(keys["noise"])
    return {
        "model": model,
        "model_options": (CONVNEXT if model.startswith("convnext") else RESNET) | (options or {}),
        "stem_patch": None,
        "head": "linear",
        "film": False,
        "noise": None,
        "noise_unit": None,
        "latent_std": 0.5,
        "space": "latent",
        "in_channels": channels,
        "grid": [side, side],
        "classes": ["a", "b", "c"],
        "mean": np.linspace(-1, 1, channels).tolist(),
        "std": np.linspace(1, 2, channels).tolist(),
    } | keys


def images(number: int, side: int, channels: int = 3) -> torch.Tensor:
    """Uniform noise in [0, 1], the same for every call."""
    return torch.rand(number, channels, side, side, generator=torch.Generator().manual_seed(0))
