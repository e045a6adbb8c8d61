"""What every family of noise states about its levels."""

import torch

from ...registry import load


class NoiseLevels:
    """How one family of noise is drawn, scaled and labelled.

    `low` and `high` are the ends of the σ trained on; clean latents are labelled as `low`, a level that the network
    has seen, and never as less.
    """

    def __init__(self, low: float, high: float):
        self.low, self.high = low, high

    @property
    def clean(self) -> float:
        """The σ as which clean latents are labelled."""
        return self.low

    def sample(self, number: int, device: torch.device) -> torch.Tensor:
        """Draw σ (number,) for training, from torch's global generator."""
        raise NotImplementedError

    def input_scale(self, sigma: torch.Tensor, unit: torch.Tensor, latent_std: float) -> torch.Tensor:
        """The factor c_in on z + σ·unit·n; σ (N,), unit (1, C, 1, 1) or (1, C, h, w) -> broadcastable to (N, C, h, w).

        `latent_std` is the standard deviation of a normalised latent.
        """
        raise NotImplementedError

    def label(self, sigma: torch.Tensor) -> torch.Tensor:
        """The number c_noise that tells a network σ; (N,) -> (N,). σ beyond the trained ones is told as the nearest."""
        raise NotImplementedError


def build_levels(noise: dict) -> NoiseLevels:
    """The noise levels of a recipe's `noise`, with every default filled in (options.noise_options)."""
    return load("recipes.*.noise.family", noise["family"]).build(noise)
