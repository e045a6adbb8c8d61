"""The discrete cosine transform of a latent's grid."""

import math
from functools import cache

import torch


@cache
def dct_matrix(length: int) -> torch.Tensor:
    """The orthonormal DCT-II as a matrix (length, length), float64: row u holds the cosine of frequency u."""
    # On the CPU also where networks are counted on torch's meta device: it is kept.
    u, position = (torch.arange(length, dtype=torch.float64, device="cpu") for _ in range(2))
    matrix = torch.cos(math.pi / length * (position + 0.5) * u[:, None]) * math.sqrt(2 / length)
    matrix[0] /= math.sqrt(2)
    return matrix


def beyond(height: int, width: int, share: float) -> torch.Tensor:
    """Which coefficients (h, w) have u + v > share (h + w - 2), bool, on the CPU."""
    u, v = (torch.arange(side, device="cpu") for side in (height, width))
    return u[:, None] + v > share * (height + width - 2)
