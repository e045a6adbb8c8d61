"""A random orthogonal mix of the channels: the null beside whitening, for it changes coordinates and nothing else."""

import numpy as np
import torch

from .channel_mix import ChannelMix


def rotation(channels: int, seed: int) -> np.ndarray:
    """An orthogonal matrix (C, C), float64, uniform by Haar's measure (Mezzadri, arXiv math-ph/0609050)."""
    q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((channels, channels)))
    return q * np.sign(np.diag(r))


def build(transform: dict, channels: int, grid: list[int]) -> ChannelMix:
    """The rotation of `seed`, the recipe's own: every fold and data set of C channels has the same."""
    return ChannelMix(torch.from_numpy(rotation(channels, transform["seed"])))
