"""The symmetries of the square, by which images are flipped and turned without any interpolation."""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch

SYMMETRIES = 7  # without the identity: three turns, two flips, and a flip over each diagonal


def turn(x: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
    """Each image of x (n, C, s, s) by the symmetry of its `code` (n,), 0 to 7, on the same device; 0 leaves it.

    The bits of a code, from the highest: the image is transposed, flipped vertically, flipped horizontally.
    """
    bits = code.reshape(-1, 1, 1, 1)
    x = torch.where(bits & 4 != 0, x.transpose(2, 3), x)
    x = torch.where(bits & 2 != 0, x.flip(2), x)
    return torch.where(bits & 1 != 0, x.flip(3), x)


def codes_of_copies(ids: Sequence[str], copies: int) -> np.ndarray:
    """Codes (N, copies) of the copies of each image: different ones, never 0, drawn by its sample_id alone.

    Those of fewer copies are the first of these.
    """
    seeds = (int.from_bytes(hashlib.sha256(f"views {name}".encode()).digest()[:8], "little") for name in ids)
    return np.stack([np.random.default_rng(seed).permutation(SYMMETRIES)[:copies] + 1 for seed in seeds])
