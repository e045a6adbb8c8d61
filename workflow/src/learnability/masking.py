"""Random masking of the elements of a batch on its device; randomness from torch's global generator."""

import torch


def mask_elements(x: torch.Tensor, rate: float) -> torch.Tensor:
    """Set each element to zero, the mean of a normalised latent, with probability `rate` (docs/protocol.md)."""
    return x * (torch.rand_like(x) >= rate)
