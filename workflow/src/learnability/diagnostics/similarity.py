"""Whether two spaces see the same images as alike: pooled latents against another space's features."""

import torch


def centred_kernel(features: torch.Tensor) -> torch.Tensor:
    """Linear kernel (n, n) of features (n, d) whose rows have length 1, its diagonal zero."""
    unit = torch.nn.functional.normalize(features.double(), dim=1)
    return (unit @ unit.T).fill_diagonal_(0)


def hsic(k: torch.Tensor, m: torch.Tensor) -> torch.Tensor:
    """Unbiased estimate of the Hilbert-Schmidt independence criterion (Song et al. 2012) of kernels with diagonal 0.

    Kernels on the pairs of nearest neighbours are not symmetric.
    """
    n = len(k)
    cross = (k.sum(dim=0) * m.sum(dim=1)).sum()  # of all of k @ m
    return ((k * m.T).sum() + k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 * cross / (n - 2)) / (n * (n - 3))


def cka(x: torch.Tensor, y: torch.Tensor) -> float:
    """Unbiased centred kernel alignment of features (n, d) and (n, e) of the same images: 1 alike, 0 independent."""
    k, m = centred_kernel(x), centred_kernel(y)
    return float(hsic(k, m) / (hsic(k, k) * hsic(m, m)).sqrt())


def cknna(x: torch.Tensor, y: torch.Tensor, neighbours: int = 10) -> float:
    """CKA on the pairs that are among each other's nearest neighbours in both spaces (Huh et al. 2024)."""
    k, m = centred_kernel(x), centred_kernel(y)
    in_k, in_m = near(k, neighbours), near(m, neighbours)
    both = in_k * in_m
    return float(hsic(both * k, both * m) / (hsic(in_k * k, in_k * k) * hsic(in_m * m, in_m * m)).sqrt())


def near(kernel: torch.Tensor, neighbours: int) -> torch.Tensor:
    """1 where a column is among the row's most similar others, (n, n)."""
    found = kernel.clone().fill_diagonal_(-torch.inf).topk(neighbours, dim=1).indices
    return torch.zeros_like(kernel).scatter_(1, found, 1.0)
