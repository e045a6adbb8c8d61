"""Classifiers for images and latents: a timm network that normalises its raw input itself."""

from pathlib import Path

import torch
from torch import nn

from ..contracts import InputError
from .grid import misfit

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of RGB in [0, 1]


class Classifier(nn.Module):
    """A network on raw input: 8-bit images (0..255) or latents as stored; it normalises inside.

    forward(x: (N, C, H, W)) -> logits (N, K).
    """

    def __init__(self, network: nn.Module, mean: list[float], std: list[float]):
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))

    def normalise(self, x: torch.Tensor) -> torch.Tensor:
        return (x.float() - self.mean) / self.std

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(self.normalise(x))


def build_classifier(description: dict, pretrained: Path | None = None) -> Classifier:
    """Build a classifier from a description: that of a recipe's run, or the model.json beside saved weights.

    Keys: model (a timm name), model_options, in_channels, grid, classes, mean, std. `pretrained` is the file of
    weights to start from; the last layer, and the first where the channels differ, are made for this task.
    """
    import timm

    name = description["model"]
    if message := misfit(name, description["model_options"], min(description["grid"])):
        raise InputError(message)
    try:
        network = timm.create_model(
            name,
            pretrained=pretrained is not None,
            pretrained_cfg_overlay={"file": str(pretrained)} if pretrained else None,
            in_chans=description["in_channels"],
            num_classes=len(description["classes"]),
            **description["model_options"],
        )
    except RuntimeError as error:
        if not pretrained:
            raise
        raise InputError(
            f"{pretrained}: these weights do not fit {name} with model_options {description['model_options']}; "
            "set `init: random`, or leave the options as the weights were trained with"
        ) from error
    if pretrained and description["space"] == "latent":
        # Weights made for RGB mean nothing on latent channels: a fresh input layer, for every channel count.
        first = network.get_submodule(network.pretrained_cfg["first_conv"])
        nn.init.trunc_normal_(first.weight, std=0.02)
        if first.bias is not None:
            nn.init.zeros_(first.bias)
    return Classifier(network, description["mean"], description["std"])


def image_moments() -> tuple[list[float], list[float]]:
    """ImageNet's channel mean and standard deviation, for RGB pixels in 0..255."""
    return [255 * mean for mean in IMAGENET_MEAN], [255 * std for std in IMAGENET_STD]
