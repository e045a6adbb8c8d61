"""Nearest neighbours of pooled latents, none of them of the same group: dimension, and whether they share the class."""

import numpy as np
import torch

NEIGHBOURS = 5000  # rows among which neighbours are sought: distances of all pairs grow with the square
BLOCK = 1024  # rows whose distances to all others are held at once
DROPPED = 0.1  # of the largest ratios, whose neighbours are too far to be local


def nearest(features: torch.Tensor, group: np.ndarray, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Distances and rows (n, k) of the k nearest by Euclid among the rows of *other* groups; features (n, d), float64.

    Rows of a group are no independent neighbours: two images of one lesion make any space look low-dimensional.
    """
    codes = torch.from_numpy(np.unique(group, return_inverse=True)[1]).to(features.device)
    found = []
    for rows, own in zip(features.split(BLOCK), codes.split(BLOCK), strict=True):
        # Not by a matrix product: near neighbours would be differences of large numbers.
        distance = torch.cdist(rows, features, compute_mode="donot_use_mm_for_euclid_dist")  # (b, n)
        found.append(distance.masked_fill_(own[:, None] == codes, torch.inf).topk(k, largest=False))
    return tuple(torch.cat(parts) for parts in zip(*found, strict=True))


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
    y = -torch.log(1 - torch.arange(1, number + 1, dtype=x.dtype, device=x.device) / len(mu))
    return float((x * y).sum() / x.square().sum())


def mle_dimension(mu: torch.Tensor) -> float:
    """Intrinsic dimension by maximum likelihood: n over the sum of log mu."""
    return float(len(mu) / mu.log().sum())


def neighbour_consistency(rows: torch.Tensor, label: np.ndarray, group: np.ndarray) -> float:
    """LNC: the share of neighbours (n, k) of the same class, mean of the class means, minus what chance gives.

    Chance is the share of the class among the rows of other groups. 0: neighbours say nothing of the class.
    """
    same = label[rows.cpu().numpy()] == label[:, None]
    return macro(same.mean(axis=1) - chance_of_same(label, group), label)


def chance_of_same(label: np.ndarray, group: np.ndarray) -> np.ndarray:
    """For each row (n) the share of its class among the rows of other groups."""
    codes = np.unique(group, return_inverse=True)[1]
    within = np.zeros((codes.max() + 1, label.max() + 1))
    np.add.at(within, (codes, label), 1)
    others = len(label) - within.sum(axis=1)[codes]
    return (np.bincount(label)[label] - within[codes, label]) / np.maximum(others, 1)


def macro(values: np.ndarray, label: np.ndarray) -> float:
    """Mean over the classes of their means."""
    return float(np.mean([values[label == k].mean() for k in np.unique(label)]))
