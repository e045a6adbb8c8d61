"""A low-pass filter of each channel: high coefficients of its cosine transform are set to zero, the grid stays."""

from collections.abc import Iterable

import torch
from torch import nn

from ..heads import without_autocast
from .dct import beyond, dct_matrix


class LowPass(nn.Module):
    """Without the DCT coefficients u + v > cutoff (h + w - 2): (N, C, h, w) -> (N, C, h, w).

    It is a projection: latents lose variance, which is not scaled up again.
    """

    def __init__(self, height: int, width: int, cutoff: float):
        super().__init__()
        kept = ~beyond(height, width, cutoff)
        for name, value in (("rows", dct_matrix(height)), ("columns", dct_matrix(width)), ("kept", kept)):
            self.register_buffer(name, value.float(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with without_autocast(x.device):
            return self.rows.T @ (self.rows @ x.float() @ self.columns.T * self.kept) @ self.columns

    def fit(self, batches: Iterable[torch.Tensor]) -> None:
        """Nothing: it has no moments."""


def build(transform: dict, channels: int, grid: list[int]) -> LowPass:
    return LowPass(*grid, transform["cutoff"])
