"""How alike the cells of one latent are, by their distance."""

from collections.abc import Sequence

import torch

NEAR, FAR, STEPS = 1, 6, 8  # cells


def similarity_by_distance(z: torch.Tensor) -> torch.Tensor:
    """Mean cosine of two cells d apart in a row or a column, d = 1 .. side - 1: z (n, C, h, w) -> (side - 1)."""
    unit = z / z.norm(dim=1, keepdim=True).clamp(min=1e-12)
    height, width = z.shape[2:]
    found = []
    for d in range(1, min(height, width)):
        down = (unit[:, :, d:] * unit[:, :, :-d]).sum(dim=1).mean()
        across = (unit[:, :, :, d:] * unit[:, :, :, :-d]).sum(dim=1).mean()
        found.append((down + across) / 2)
    return torch.stack(found).double() if found else torch.zeros(0)


def near_minus_far(similarity: Sequence[float], near: int = NEAR, far: int = FAR) -> float | None:
    """LDS: the cosine of cells `near` apart minus the mean of those `far` and more apart; None where none are."""
    beyond = list(similarity[far - 1 :])
    return float(similarity[near - 1] - sum(beyond) / len(beyond)) if beyond else None


def decay(similarity: Sequence[float], steps: int = STEPS) -> float | None:
    """CDS: minus the least-squares slope of the cosine over d = 1 .. `steps`; None where the grid is smaller."""
    if len(similarity) < steps:
        return None
    x = torch.arange(1, steps + 1, dtype=torch.float64)
    y = torch.as_tensor(similarity, dtype=torch.float64)[:steps]
    x -= x.mean()
    return float(-(x * y).sum() / x.square().sum())
