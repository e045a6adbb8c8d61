"""Whitening: the channels are made uncorrelated, each with the variance that normalisation gives it."""

from collections.abc import Iterable

import torch

from .channel_mix import ChannelMix

FLOOR = 1e-6  # of the largest eigenvalue, near what rounding to float16 adds: no direction is scaled up further


class Whitening(ChannelMix):
    """s Λ^(-1/2) Uᵀ x of normalised latents x, whose covariance over rows and cells is U Λ Uᵀ; s their deviation."""

    def fit(self, batches: Iterable[torch.Tensor]) -> None:
        """Set the matrix from normalised latents (n, C, h, w); memory is that of one batch and of (C, C) sums."""
        self.matrix.copy_(whitening(covariance(batches)))


def covariance(batches: Iterable[torch.Tensor]) -> torch.Tensor:
    """Covariance (C, C) over all rows and cells of batches (n, C, h, w) of mean 0: float64, in one pass."""
    total, cells = torch.zeros(()), 0
    for x in batches:
        wide = x.double().movedim(1, 0).flatten(1)  # (C, n h w)
        total, cells = total.to(wide) + wide @ wide.T, cells + wide.shape[1]
    return total.cpu() / cells


def whitening(covariance: torch.Tensor) -> torch.Tensor:
    """The matrix (C, C), float64, after which normalised latents of this covariance have no correlation.

    Each channel then has the variance of the latents' own, which are alike but for constant ones. Rows are by falling
    eigenvalue, each with its largest entry positive. Eigenvalues below FLOOR of the largest count as that, so a
    direction without variance stays without.
    """
    values, vectors = torch.linalg.eigh(covariance)
    values, vectors = values.flip(0), vectors.flip(1)
    largest = vectors.abs().argmax(dim=0, keepdim=True)
    vectors = vectors * vectors.gather(0, largest).sign()
    if not values[0] > 0:
        return torch.eye(len(covariance), dtype=torch.float64)
    values = values.clamp(min=FLOOR * values[0].item())
    return (covariance.diagonal().max() / values).sqrt()[:, None] * vectors.T


def build(transform: dict, channels: int, grid: list[int]) -> Whitening:
    """A whitening that changes nothing until it is fitted, or its weights are loaded."""
    return Whitening(torch.eye(channels))
