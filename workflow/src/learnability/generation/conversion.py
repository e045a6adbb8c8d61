"""Converts latents of a generative pipeline to raw ones and back; both ways are differentiable."""

import math

import torch
import torch.nn.functional as F

from ..autoencoders.latent_units import units_on_grid
from ..errors import InputError


def to_raw(latents: torch.Tensor, pipeline: dict, channels: int, grid: tuple[int, int] | None = None) -> torch.Tensor:
    """Convert pipeline latents to raw z (N, C, h, w): unpack, then z = latents * std + mean.

    latents: (N, C, h, w); or (N, 4 C, h / 2, w / 2), 2 x 2 positions packed into channels; or tokens (N, L, C) or
    (N, L, 4 C), as the transformers of FLUX take them. `channels` is C of the raw latent; `grid` is the (rows, columns)
    of the tokens, needed if they form no square. `pipeline` is that of autoencoder.json.
    """
    z = unpack(latents, channels, grid)  # (N, C, h, w)
    mean, std = tiled_units(pipeline, z)
    return z * std + mean


def to_pipeline(z: torch.Tensor, pipeline: dict, packed: bool = False, tokens: bool = False) -> torch.Tensor:
    """Convert raw z (N, C, h, w) to pipeline latents, (z - mean) / std; the inverse of to_raw.

    `packed` puts 2 x 2 positions into channels, (N, 4 C, h / 2, w / 2);
    `tokens` makes a row of each position, (N, L, C) or (N, L, 4 C).
    """
    mean, std = tiled_units(pipeline, z)
    latents = (z - mean) / std
    latents = F.pixel_unshuffle(latents, 2) if packed else latents
    return latents.flatten(2).transpose(1, 2) if tokens else latents


def unpack(latents: torch.Tensor, channels: int, grid: tuple[int, int] | None) -> torch.Tensor:
    """Undo tokens and 2 x 2 packing: (N, C, h, w) with unchanged values."""
    if latents.ndim == 3:
        rows, columns = grid or (math.isqrt(latents.shape[1]),) * 2
        if rows * columns != latents.shape[1]:
            raise InputError(
                f"{latents.shape[1]} tokens form no grid of {rows} x {columns}; give `grid`, their rows and columns"
            )
        latents = latents.transpose(1, 2).unflatten(2, (rows, columns))  # (N, C or 4 C, rows, columns)
    if latents.ndim != 4 or latents.shape[1] not in (channels, 4 * channels):
        raise InputError(
            f"latents {tuple(latents.shape)} do not fit; expected (N, C, h, w) with C {channels}, or {4 * channels} "
            "where 2 x 2 positions are packed, or tokens (N, L, C)"
        )
    return F.pixel_shuffle(latents, 2) if latents.shape[1] == 4 * channels else latents


def tiled_units(pipeline: dict, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and std of `pipeline` as tensors that z (N, C, h, w) broadcasts with."""
    return tuple(
        tiled(torch.from_numpy(values.copy()).to(z), z.shape[2:]) for values in units_on_grid(pipeline, z.shape[1])
    )


def tiled(values: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Repeat (C, a, a) over a grid (h, w): (1, C, h, w), or (1, C, 1, 1) if a is 1."""
    side = values.shape[1]
    if size[0] % side or size[1] % side:
        raise InputError(f"a latent grid of {size[0]} x {size[1]} has no whole blocks of {side} x {side}")
    return values.repeat(1, size[0] // side, size[1] // side)[None] if side > 1 else values[None]
