"""The noise of rectified flow."""

import torch

from ...study.noise_range import trained_range
from .levels import NoiseLevels


def time_to_sigma(t: torch.Tensor) -> torch.Tensor:
    """Rectified flow: σ = t / (1 - t) of t in [0, 1)."""
    return t / (1 - t)


def sigma_to_time(sigma: torch.Tensor) -> torch.Tensor:
    """Rectified flow: t = σ / (1 + σ)."""
    return sigma / (1 + sigma)


class FlowLevels(NoiseLevels):
    """Rectified flow: t uniform or logit-normal (arXiv 2403.03206), input times 1 - t, label t.

    A logit-normal t is cut off where training would hardly ever come: the label of clean latents is one it has seen.
    """

    def __init__(self, noise: dict):
        self.noise = noise
        low, high = trained_range(noise)
        super().__init__(low, high)

    def sample(self, number: int, device: torch.device) -> torch.Tensor:
        if self.noise["draw"] == "uniform":
            return time_to_sigma(torch.rand(number, device=device))  # below 1
        # ln(t / (1 - t)) is ln σ: a logit-normal t is a log-normal σ.
        drawn = self.noise["mean"] + self.noise["deviation"] * torch.randn(number, device=device)
        return drawn.exp().clamp(self.low, self.high)

    def input_scale(self, sigma: torch.Tensor, unit: torch.Tensor, latent_std: float) -> torch.Tensor:
        return 1 / (1 + sigma.view(-1, 1, 1, 1))  # 1 - t

    def label(self, sigma: torch.Tensor) -> torch.Tensor:
        return sigma_to_time(sigma.clamp(self.low, self.high))


def build(noise: dict) -> FlowLevels:
    return FlowLevels(noise)
