"""The images themselves as the reference of latents: brought to the latent's grid, and their spectra there."""

import math
from typing import NamedTuple

import numpy as np
import torch

from ..storage.arrays import area_average, rows_from
from .spectra import BINS, dct, radial_means, radial_profile

BLUR = 1.2  # sigma in pixels
AT_ONCE = 8  # images that are blurred at once: a convolution in float64 holds a copy of them for each of its taps


class Setting(NamedTuple):
    """How spectra of images and latents are compared: weight f^delta and blur (in pixels) of images, radial bins."""

    delta: float = 1.0
    bins: int = BINS
    blur: float = BLUR

    def __str__(self) -> str:
        return f"delta={self.delta},bins={self.bins},blur={self.blur}"


# The published one, and one of its values changed at a time.
SETTINGS = (Setting(), Setting(delta=0.0), Setting(bins=8), Setting(bins=32), Setting(blur=0.6), Setting(blur=2.4))


class AtGrid:
    """Images uint8 (N, H, W, C) as if they were latents (N, C, side, side), made where a slice of them is read.

    A cell is the mean of its pixels.
    """

    def __init__(self, images: np.ndarray, side: int) -> None:
        self.images, self.side = images, side

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, _ = rows.indices(len(self))
        small = area_average(rows_from(self.images, start, stop), self.side)
        return np.ascontiguousarray(small.transpose(0, 3, 1, 2))


def image_profiles(images: torch.Tensor, grid: tuple[int, int]) -> dict[Setting, torch.Tensor]:
    """The radial profile (n, bins) of each of images (n, C, H, W) on a grid, by setting: blurred, then bicubic.

    An image whose grid it is already is left as it is. Channels have mean 0 and deviation 1, as latents have.
    """
    powers = {}
    for sigma in {setting.blur for setting in SETTINGS}:
        x = torch.cat([on_grid(some.double(), grid, sigma) for some in images.split(AT_ONCE)])
        x = (x - x.mean(dim=(0, 2, 3), keepdim=True)) / x.std(dim=(0, 2, 3), keepdim=True).clamp(min=1e-6)
        powers[sigma] = dct(x).square().mean(dim=1)
    return {one: radial_profile(radial_means(powers[one.blur], one.bins), one.delta) for one in SETTINGS}


def on_grid(x: torch.Tensor, grid: tuple[int, int], sigma: float) -> torch.Tensor:
    """Images (n, C, H, W) blurred by a Gaussian of 5 sigma and one pixel (sigma 1.2: 7 x 7), then bicubic to a grid."""
    if tuple(x.shape[2:]) == grid:
        return x
    reach = math.ceil(2.5 * sigma)
    window = torch.exp(-(torch.arange(-reach, reach + 1, dtype=torch.float64) ** 2) / (2 * sigma**2))
    window = (window / window.sum()).to(x)
    planes = torch.nn.functional.pad(x.flatten(0, 1)[:, None], (reach,) * 4, mode="reflect")
    planes = torch.nn.functional.conv2d(planes, window.view(1, 1, -1, 1))
    planes = torch.nn.functional.conv2d(planes, window.view(1, 1, 1, -1))
    return torch.nn.functional.interpolate(planes.view_as(x), size=grid, mode="bicubic")
