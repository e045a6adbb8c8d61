"""Sums of each channel of every latent, stored beside them: they give the moments of any fold without the latents."""

import numpy as np

BLOCK = 256  # rows to add up before adding them to the total, which keeps rounding small


def channel_sums(z: np.ndarray) -> np.ndarray:
    """Sum and sum of squares of each channel of latents z (n, C, h, w): float64 (n, 2, C), pairwise over a channel."""
    wide = np.ascontiguousarray(z).astype(np.float64)
    return np.stack([wide.sum(axis=(2, 3)), np.square(wide, out=wide).sum(axis=(2, 3))], axis=1)


def channel_moments(sums: np.ndarray, rows: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (C,) of channels over `rows` (n,), from sums (N, 2, C) over `cells` = h w each."""
    total = np.zeros(sums.shape[1:])
    for start in range(0, len(rows), BLOCK):
        total += np.add.accumulate(sums[rows[start : start + BLOCK]])[-1]
    mean, square = total / (len(rows) * cells)
    return mean, np.sqrt(np.maximum(square - mean**2, 0))
