"""Noise levels of EDM, rectified flow and variance-preserving diffusion, all told by one number, σ.

A noisy latent is z + σ·n. Flow's (1-t)·z + t·n is that with σ = t/(1-t), multiplied by 1-t; variance-preserving
√ᾱ·z + √(1-ᾱ)·n is that with σ = √((1-ᾱ)/ᾱ), multiplied by √ᾱ. A family says how σ is drawn in training, by what
the network's input is multiplied, and as what number the network is told σ.
"""

import functools

import numpy as np
import torch

from .options import noise_options, normal_range

BETA_FIRST, BETA_LAST, TIMESTEPS = 0.00085, 0.012, 1000  # Stable Diffusion's schedule, linear in √β
CURVE = 12  # noise levels at which a classifier is traced


def time_to_sigma(t: torch.Tensor) -> torch.Tensor:
    """Rectified flow: σ = t / (1 - t) of t in [0, 1)."""
    return t / (1 - t)


def sigma_to_time(sigma: torch.Tensor) -> torch.Tensor:
    """Rectified flow: t = σ / (1 + σ)."""
    return sigma / (1 + sigma)


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


class NoiseLevels:
    """How one family of noise is drawn, scaled and labelled.

    `low` and `high` are the ends of the σ trained on; `clean` is the σ as which clean latents are labelled.
    """

    def __init__(self, clean: float, low: float, high: float):
        self.clean, self.low, self.high = clean, low, high

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

    def curve(self) -> list[float]:
        """Ascending σ at which a classifier is traced: the clean label, then evenly in ln σ over those trained on."""
        first = [] if self.clean == self.low else [self.clean]
        return first + np.geomspace(self.low, self.high, CURVE - len(first)).tolist()


class EDMLevels(NoiseLevels):
    """EDM (arXiv 2206.00364): σ from its ρ grid with equal chances, or log-normal; label ln(σ)/4.

    A log-normal σ is cut off where training would hardly ever come: the label of clean latents is one it has seen.
    """

    def __init__(self, noise: dict):
        self.noise = noise
        low, high = noise["sigma_min"], noise["sigma_max"]
        if noise["draw"] == "lognormal":
            lowest, highest = normal_range(noise)
            low, high = max(low, lowest), min(high, highest)
        super().__init__(low, low, high)

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


class FlowLevels(NoiseLevels):
    """Rectified flow: t uniform or logit-normal (arXiv 2403.03206), input times 1 - t, label t; clean is t = 0."""

    def __init__(self, noise: dict):
        self.noise = noise
        low, high = 0.01 / 0.99, 0.99 / 0.01  # t = 0.01 and 0.99
        if noise["draw"] == "logit_normal":
            low, high = normal_range(noise)
        super().__init__(0.0, low, high)

    def sample(self, number: int, device: torch.device) -> torch.Tensor:
        if self.noise["draw"] == "uniform":
            return time_to_sigma(torch.rand(number, device=device))  # below 1
        # ln(t / (1 - t)) is ln σ: a logit-normal t is a log-normal σ.
        return (self.noise["mean"] + self.noise["deviation"] * torch.randn(number, device=device)).exp()

    def input_scale(self, sigma: torch.Tensor, unit: torch.Tensor, latent_std: float) -> torch.Tensor:
        return 1 / (1 + sigma.view(-1, 1, 1, 1))  # 1 - t

    def label(self, sigma: torch.Tensor) -> torch.Tensor:
        return sigma_to_time(sigma)


class VPLevels(NoiseLevels):
    """Stable Diffusion's schedule: its timesteps with equal chances, input times √ᾱ, label timestep / 1000."""

    def __init__(self):
        low, high = timestep_to_sigma(torch.tensor([0, TIMESTEPS - 1])).tolist()
        super().__init__(low, low, high)

    def sample(self, number: int, device: torch.device) -> torch.Tensor:
        return timestep_to_sigma(torch.randint(TIMESTEPS, (number,), device=device))

    def input_scale(self, sigma: torch.Tensor, unit: torch.Tensor, latent_std: float) -> torch.Tensor:
        return sigma_to_alpha_bar(sigma.view(-1, 1, 1, 1)).sqrt()

    def label(self, sigma: torch.Tensor) -> torch.Tensor:
        return sigma_to_timestep(sigma) / TIMESTEPS


def build_levels(noise: dict) -> NoiseLevels:
    """The noise levels of a recipe's `noise`: family, draw, and what these need. Raises InputError naming the key."""
    noise = noise_options(noise)
    if noise["family"] == "vp":
        return VPLevels()
    return EDMLevels(noise) if noise["family"] == "edm" else FlowLevels(noise)
