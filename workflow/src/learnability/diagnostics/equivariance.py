"""Whether an autoencoder commutes with turns, flips, shifts and a change of scale."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F

from ..autoencoders.fidelity import psnr
from ..autoencoders.passes import to_grey_levels

MARGIN = 1  # cells at the border that a shift brings in from outside


class Transform(NamedTuple):
    """A change of images (n, 3, H, W) and the same change of latents (n, C, h, w); `cropped` drops a margin of both."""

    name: str
    image: Callable[[torch.Tensor], torch.Tensor]
    latent: Callable[[torch.Tensor], torch.Tensor]
    cropped: bool = False


def quarter_turn(x: torch.Tensor) -> torch.Tensor:
    return x.rot90(1, (2, 3))


def flip(x: torch.Tensor) -> torch.Tensor:
    return x.flip(3)


def halved(x: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(x, 2)


def half_cell(z: torch.Tensor) -> torch.Tensor:
    """Shifted by half a cell: the mean of two neighbours."""
    return (z + z.roll(1, 3)) / 2


def transforms(factor: int, size: int) -> Iterator[Transform]:
    """Those that images of `size` pixels and latents coarser by `factor` allow."""
    yield Transform("turn", quarter_turn, quarter_turn)
    yield Transform("flip", flip, flip)
    shifts = size // factor > 2 * MARGIN  # else nothing is left of a shifted latent
    if shifts:
        yield Transform("shift_cell", lambda x: x.roll(factor, 3), lambda z: z.roll(1, 3), cropped=True)
    if shifts and factor % 2 == 0:
        yield Transform("shift_half_cell", lambda x: x.roll(factor // 2, 3), half_cell, cropped=True)
    if size % (2 * factor) == 0 and size // (2 * factor) >= 4:
        yield Transform("scale_half", halved, halved)


def crop(x: torch.Tensor, margin: int) -> torch.Tensor:
    return x[:, :, margin:-margin, margin:-margin]


class Equivariance:
    """Sums over batches of one transform: E_T = E |E(Tx) - T E(x)|^2 / E |E(x) - mean|^2, and the decoder's PSNR."""

    def __init__(self, transform: Transform, factor: int, varies: torch.Tensor | slice = slice(None)):
        """`varies` (C,) are the channels that count: a constant one would lower the error."""
        self.transform, self.factor, self.varies = transform, factor, varies
        self.error, self.square, self.cells = 0.0, 0.0, 0
        self.decoded: list[float] = []

    def add(self, x: torch.Tensor, z: torch.Tensor, encode: Callable, decode: Callable | None) -> None:
        """Images x (n, 3, H, W) with their latents z (n, C, h, w), and what encodes and decodes a batch."""
        moved, expected = self.transform.image(x), self.transform.latent(z)
        found = encode(moved)
        if decode:
            x_hat, seen = decode(expected), to_grey_levels(moved)
            if self.transform.cropped:
                x_hat, seen = (crop(image, self.factor * MARGIN) for image in (x_hat, seen))
            self.decoded += psnr(seen, x_hat).tolist()
        if self.transform.cropped:
            found, expected = crop(found, MARGIN), crop(expected, MARGIN)
        found, expected = found[:, self.varies], expected[:, self.varies]
        self.error += (found - expected).double().square().sum().item()
        self.square += expected.double().square().sum().item()
        self.cells += found.numel()

    def encoder(self) -> float | None:
        """E_T of latents whose channels have mean 0 and deviation 1; 0 for equivariant ones, None if none varies."""
        return self.error / self.cells if self.cells else None

    def null(self) -> float | None:
        """E_T of unrelated normalised latents: 1 + E |T E(x)|^2. That is 2, less where T averages cells."""
        return 1 + self.square / self.cells if self.cells else None
