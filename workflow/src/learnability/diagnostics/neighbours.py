"""Intrinsic dimension of pooled latents, by their nearest neighbours, none of them of the same group."""

import numpy as np
import torch

BLOCK = 1024  # rows whose distances to all others are held at once
DROPPED = 0.1  # of the largest ratios, whose neighbours are too far to be local


def nearest(features: torch.Tensor, group: np.ndarray, k: int) -> torch.Tensor:
    """Distances (n, k) of the k nearest by Euclid among the rows of *other* groups; features (n, d), float64.

    Rows of a group are no independent neighbours: two images of one lesion make any space look low-dimensional.
    """
    codes = torch.from_numpy(np.unique(group, return_inverse=True)[1]).to(features.device)
    found = []
    for rows, own in zip(features.split(BLOCK), codes.split(BLOCK), strict=True):
        # Not by a matrix product: near neighbours would be differences of large numbers.
        distance = torch.cdist(rows, features, compute_mode="donot_use_mm_for_euclid_dist")  # (b, n)
        distance[own[:, None] == codes] = torch.inf
        found.append(distance.topk(k, largest=False).values)
    return torch.cat(found)


def ratios(distances: torch.Tensor) -> torch.Tensor:
    """mu = r2 / r1 of each row (n, 2), without rows that have a duplicate or fewer than two neighbours."""
    first, second = distances[:, 0], distances[:, 1]
    kept = (first > 0) & torch.isfinite(second)
    return second[kept] / first[kept]


def twonn(mu: torch.Tensor, dropped: float = DROPPED) -> float:
    """Intrinsic dimension by a line through zero of -log(1 - F) over log mu (Facco et al. 2017), the top dropped."""
    x = mu.log().sort().values
    number = int(len(x) * (1 - dropped))
    x = x[:number]
    y = -torch.log(1 - torch.arange(number, dtype=x.dtype, device=x.device) / len(mu))
    return float((x * y).sum() / x.square().sum())


def mle_dimension(mu: torch.Tensor) -> float:
    """Intrinsic dimension by maximum likelihood: n over the sum of log mu."""
    return float(len(mu) / mu.log().sum())
