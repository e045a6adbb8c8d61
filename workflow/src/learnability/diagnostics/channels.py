"""How the channels of latents share their variance."""

import torch


def covariance(products: torch.Tensor, sums: torch.Tensor, number: int) -> torch.Tensor:
    """Covariance (C, C) of `number` cells, from the sums of their products (C, C) and of their values (C), float64."""
    mean = sums / number
    return products / number - torch.outer(mean, mean)


def eigenvalues(covariance: torch.Tensor) -> torch.Tensor:
    """Its eigenvalues (C), ascending, float64; values within rounding are zero."""
    values = torch.linalg.eigvalsh(covariance)
    return values.where(values > 1e-13 * values[-1], 0.0)


def effective_rank(values: torch.Tensor) -> float:
    """exp of the entropy of eigenvalues (C) as shares: C where all are equal, 1 where one has all."""
    share = values / values.sum()
    share = share[share > 0]
    return float(torch.exp(-(share * share.log()).sum()))


def participation(values: torch.Tensor) -> float:
    """Participation ratio of eigenvalues (C): (sum)^2 over the sum of squares, from 1 to C."""
    return float(values.sum() ** 2 / values.square().sum())


def condition(values: torch.Tensor) -> float:
    """Largest over smallest eigenvalue; infinite where one is zero."""
    return float(values[-1] / values[0])


def mean_correlation(covariance: torch.Tensor) -> float:
    """Mean of |r_ij| over the pairs of channels that vary; NaN where fewer than two do."""
    varies = covariance.diagonal() > 0
    kept = covariance[varies][:, varies]
    deviation = kept.diagonal().sqrt()
    correlation = kept / torch.outer(deviation, deviation)
    pairs = torch.triu_indices(len(kept), len(kept), offset=1)
    return float(correlation[pairs[0], pairs[1]].abs().mean())
