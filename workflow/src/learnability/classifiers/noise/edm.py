"""The noise of EDM (arXiv 2206.00364)."""

import torch

from ...study.noise_range import trained_range
from .levels import NoiseLevels


class EDMLevels(NoiseLevels):
    """EDM (arXiv 2206.00364): σ from its ρ grid with equal chances, or log-normal; label ln(σ)/4.

    A log-normal σ is cut off where training would hardly ever come: the label of clean latents is one it has seen.
    """

    def __init__(self, noise: dict):
        self.noise = noise
        low, high = trained_range(noise)
        super().__init__(low, high)

    def sample(self, number: int, device: torch.device) -> torch.Tensor:
        if self.noise["draw"] == "grid":
            return self.grid(torch.randint(self.noise["steps"], (number,), device=device))
        drawn = self.noise["mean"] + self.noise["deviation"] * torch.randn(number, device=device)
        return drawn.exp().clamp(self.low, self.high)

    def grid(self, index: torch.Tensor) -> torch.Tensor:
        """σ of steps 0 (sigma_max) to steps - 1 (sigma_min), evenly spaced in σ^(1/ρ)."""
        rho = self.noise["rho"]
        first, last = self.high ** (1 / rho), self.low ** (1 / rho)
        return (first + index / (self.noise["steps"] - 1) * (last - first)) ** rho

    def input_scale(self, sigma: torch.Tensor, unit: torch.Tensor, latent_std: float) -> torch.Tensor:
        sigma = sigma.view(-1, 1, 1, 1)
        return (
            ((sigma * unit).square() + latent_std**2).rsqrt() if self.noise["scale_input"] else torch.ones_like(sigma)
        )

    def label(self, sigma: torch.Tensor) -> torch.Tensor:
        return sigma.clamp(self.low, self.high).log() / 4


def build(noise: dict) -> EDMLevels:
    return EDMLevels(noise)
