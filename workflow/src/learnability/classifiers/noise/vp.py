"""The noise of variance-preserving diffusion, on Stable Diffusion's schedule."""

import functools

import torch

from .levels import NoiseLevels

BETA_FIRST, BETA_LAST, TIMESTEPS = 0.00085, 0.012, 1000  # Stable Diffusion's schedule, linear in √β


def alpha_bar_to_sigma(alpha_bar: torch.Tensor) -> torch.Tensor:
    """Variance preserving: σ = √((1 - ᾱ) / ᾱ) of ᾱ in (0, 1]."""
    return ((1 - alpha_bar) / alpha_bar).sqrt()


def sigma_to_alpha_bar(sigma: torch.Tensor) -> torch.Tensor:
    """Variance preserving: ᾱ = 1 / (1 + σ²)."""
    return 1 / (1 + sigma.square())


@functools.cache
def schedule(device: torch.device) -> torch.Tensor:
    """ln σ at the 1,000 timesteps of Stable Diffusion, ascending; float64 (1000,)."""
    with torch.inference_mode(False):  # kept between calls, so that training may use what an evaluation made
        beta = torch.linspace(BETA_FIRST**0.5, BETA_LAST**0.5, TIMESTEPS, dtype=torch.float64).square()
        return alpha_bar_to_sigma((1 - beta).cumprod(0)).log().to(device)


def timestep_to_sigma(timestep: torch.Tensor) -> torch.Tensor:
    """σ at a timestep in [0, 999], whole or not: between whole ones, ln σ is interpolated. (N,) -> float32 (N,)."""
    table = schedule(timestep.device)
    below = timestep.long().clamp(0, TIMESTEPS - 2)
    return table[below].lerp(table[below + 1], timestep.double() - below).exp().float()


def sigma_to_timestep(sigma: torch.Tensor) -> torch.Tensor:
    """Inverse of `timestep_to_sigma`; σ beyond the schedule gives its first or last step. (N,) -> float32 (N,)."""
    table = schedule(sigma.device)
    logarithm = sigma.double().log().clamp(table[0], table[-1])
    above = torch.searchsorted(table, logarithm).clamp(1, TIMESTEPS - 1)
    share = (logarithm - table[above - 1]) / (table[above] - table[above - 1])
    return (above - 1 + share).float()


class VPLevels(NoiseLevels):
    """Stable Diffusion's schedule: its timesteps with equal chances, input times √ᾱ, label timestep / 1000."""

    def __init__(self):
        low, high = timestep_to_sigma(torch.tensor([0, TIMESTEPS - 1])).tolist()
        super().__init__(low, high)

    def sample(self, number: int, device: torch.device) -> torch.Tensor:
        return timestep_to_sigma(torch.randint(TIMESTEPS, (number,), device=device))

    def input_scale(self, sigma: torch.Tensor, unit: torch.Tensor, latent_std: float) -> torch.Tensor:
        return sigma_to_alpha_bar(sigma.view(-1, 1, 1, 1)).sqrt()

    def label(self, sigma: torch.Tensor) -> torch.Tensor:
        return sigma_to_timestep(sigma) / TIMESTEPS


def build(noise: dict) -> VPLevels:
    return VPLevels()
