"""Equivariance in fine-tuning: the decoder is to give a turned and reduced image for the latent turned and reduced."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from .demands import grids


class Change(NamedTuple):
    """The same change of images (N, C, H, H) and of their latents (N, C, h, h).

    `grid` is the side h of the changed latent, None for the side that it has; `factor` is H / h; `turns` are quarter
    turns. Both are resized bilinearly with antialiasing, which keeps an image in its range.
    """

    grid: int | None = None
    factor: int = 1
    turns: int = 0

    def image(self, x: torch.Tensor) -> torch.Tensor:
        return self.changed(x, self.factor)

    def latent(self, z: torch.Tensor) -> torch.Tensor:
        return self.changed(z, 1)

    def changed(self, x: torch.Tensor, pixels: int) -> torch.Tensor:
        """Images or latents with `pixels` per cell on each side."""
        if self.grid and x.shape[-1] != self.grid * pixels:
            x = F.interpolate(x, (self.grid * pixels,) * 2, mode="bilinear", antialias=True)
        return x.rot90(self.turns, (2, 3)) if self.turns else x


UNCHANGED = Change()


def draw_changes(settings: dict, seed: int, step: int, side: int, factor: int) -> tuple[Change, Change]:
    """What a step does to its images of `side` pixels before they are encoded, and to latents and images after that.

    `settings` are finetune.equivariance. With `probability` the second is a resize to a grid from `scales`, all equally
    likely, and where `turns` says so 0 to 3 quarter turns; else, with the probability `reduced`, the first is such a
    resize, and the objective is plain (EQ-VAE, Kouzelis et al. 2025, arXiv 2502.09509).
    """
    # A generator of its own: rows and noise are those of a fine-tuning without it.
    random = np.random.default_rng([seed, step, 1])
    equivariant, reduced = random.random(2) < [settings["probability"], settings.get("reduced", 0)]
    low, high = grids(settings, side // factor)
    grid, turns = int(random.integers(low, high + 1)), int(random.integers(4))
    if equivariant:
        return UNCHANGED, Change(grid, factor, turns if settings["turns"] else 0)
    return (Change(grid, factor), UNCHANGED) if reduced else (UNCHANGED, UNCHANGED)
