"""TAEF2, the tiny autoencoder of FLUX.2's latents by Ollin Boer Bohan (madebyollin/taesd, MIT), as a class of its own.

Its weights, encoder.safetensors and decoder.safetensors, do not fit the AutoencoderTiny of diffusers: the blocks at the
latent's grid have a second branch of 1 x 1 convolutions with group norm.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

WIDTH, CHANNELS = 64, 32


class Block(nn.Module):
    """Three convolutions beside the identity; with `pooled`, a branch of 1 x 1 convolutions is added first."""

    def __init__(self, pooled: bool = False):
        super().__init__()
        layers = [layer for _ in range(3) for layer in (nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.ReLU())]
        self.conv = nn.Sequential(*layers[:-1])
        wide = 4 * WIDTH
        inward, outward = (nn.Conv2d(*sides, 1, bias=False) for sides in ((WIDTH, wide), (wide, WIDTH)))
        self.pool = nn.Sequential(inward, nn.GroupNorm(4, wide), nn.ReLU(), outward) if pooled else None

    def forward(self, x):
        if self.pool is not None:
            x = x + self.pool(x)
        return torch.relu(self.conv(x) + x)


class Clamp(nn.Module):
    def forward(self, x):
        return 3 * torch.tanh(x / 3)


def halve() -> nn.Module:
    return nn.Conv2d(WIDTH, WIDTH, 3, stride=2, padding=1, bias=False)


def double() -> Sequence[nn.Module]:
    return nn.Upsample(scale_factor=2), nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False)


def blocks(number: int = 3, pooled: bool = False) -> Sequence[nn.Module]:
    return [Block(pooled) for _ in range(number)]


class TAEF2(nn.Module):
    """Images (N, 3, H, W) in [-1, 1] to latents (N, 32, H/8, W/8) and back; `source` is the folder of its weights."""

    def __init__(self, source: str):
        super().__init__()
        first, last = (nn.Conv2d(*sides, 3, padding=1) for sides in ((3, WIDTH), (WIDTH, CHANNELS)))
        self.encoder = nn.Sequential(
            first, *blocks(1), halve(), *blocks(), halve(), *blocks(), halve(), *blocks(pooled=True), last
        )
        first, last = (nn.Conv2d(*sides, 3, padding=1) for sides in ((CHANNELS, WIDTH), (WIDTH, 3)))
        self.decoder = nn.Sequential(
            Clamp(), first, nn.ReLU(), *blocks(pooled=True), *double(), *blocks(), *double(), *blocks(), *double(),
            *blocks(1), last,
        )  # fmt: skip
        for name, part in (("encoder", self.encoder), ("decoder", self.decoder)):
            part.load_state_dict(load_file(Path(source, f"{name}.safetensors")))
        self.to(memory_format=torch.channels_last)  # a seventh faster on a CPU

    def encode(self, x):
        return self.encoder((x + 1) / 2)

    def decode(self, z):
        return self.decoder(z).clamp(0, 1) * 2 - 1
