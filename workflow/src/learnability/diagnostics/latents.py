"""The numbers about latents that need neither labels nor the autoencoder, in one pass over them."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from .channels import condition, covariance, effective_rank, eigenvalues, mean_correlation, participation
from .images import Setting
from .neighbours import mle_dimension, nearest, ratios, twonn
from .positions import STEPS, decay, near_minus_far, similarity_by_distance
from .spectra import dct, divergence, fourier_power, high_frequency_share, radial_power, radial_profile, radial_slope

TAUS = (0.25, 0.5, 0.75)
DISCARDED = (0.05, 0.1, 0.2)
NEIGHBOURS = 5000  # rows among which neighbours are sought
SMALLEST_GRID = 5  # cells a side below which a spectrum or a distance says nothing


class Row(NamedTuple):
    """One number: `value` and the one under its `null`, a float or the text `n/a (why)`; `n` images."""

    diagnostic: str
    variant: str
    value: float | str
    null: float | str
    n: int


def absent(why: str) -> str:
    return f"n/a ({why})"


def or_absent(value: float | None, why: str) -> float | str:
    return absent(why) if value is None or not np.isfinite(value) else value


class Sums:
    """What is summed over blocks of latents (n, C, h, w), in float64; memory does not grow with their number.

    Only the pooled latents (N, C) are kept whole: neighbours need all of them.
    """

    def __init__(self, channels: int, grid: tuple[int, int], device: torch.device):
        zeros = partial(torch.zeros, dtype=torch.float64, device=device)
        self.number, self.grid = 0, grid
        self.products, self.sums = zeros(channels, channels), zeros(channels)
        self.power, self.fourier = zeros(*grid), zeros(*grid)
        self.share, self.shares = zeros(len(TAUS)), zeros(len(TAUS))
        self.similarity = zeros(min(grid) - 1)
        self.pooled: list[torch.Tensor] = []

    def add(self, z: torch.Tensor) -> None:
        cells = z.movedim(1, -1).reshape(-1, z.shape[1]).double()
        self.products += cells.T @ cells
        self.sums += cells.sum(dim=0)
        power = dct(z).square()
        self.power += power.mean(dim=1).sum(dim=0)
        self.fourier += fourier_power(z).mean(dim=1).sum(dim=0)
        for i, tau in enumerate(TAUS):
            share = high_frequency_share(power, tau)
            self.share[i] += share.nansum()
            self.shares[i] += torch.isfinite(share).sum()
        if min(self.grid) > 1:
            self.similarity += similarity_by_distance(z) * len(z)
        self.pooled.append(z.double().mean(dim=(2, 3)))
        self.number += len(z)

    @property
    def covariance(self) -> torch.Tensor:
        return covariance(self.products, self.sums, self.number * self.grid[0] * self.grid[1])


def shuffled(z: torch.Tensor, generator: torch.Generator, together: bool) -> torch.Tensor:
    """z (n, C, h, w) with the cells of each image in random order: of all channels alike, or of each its own."""
    number, channels, height, width = z.shape
    keys = torch.rand(number, 1 if together else channels, height * width, generator=generator).to(z.device)
    order = keys.argsort(dim=2).expand(number, channels, -1)
    return z.flatten(2).gather(2, order).view_as(z)


class Diagnosis:
    """Numbers about latents, of one variant: `raw`, or `normalised` with moments of all rows (no label enters)."""

    def __init__(self, variant: str, channels: int, grid: tuple[int, int], device: torch.device):
        self.variant = variant
        self.found, self.positions, self.each = (Sums(channels, grid, device) for _ in range(3))
        self.generator = torch.Generator().manual_seed(0)

    def add(self, z: torch.Tensor) -> None:
        self.found.add(z)
        self.positions.add(shuffled(z, self.generator, together=True))
        self.each.add(shuffled(z, self.generator, together=False))

    def rows(self, group: np.ndarray, profiles: dict[Setting, torch.Tensor]) -> Iterator[Row]:
        """Every number that needs no label; `group` (N,) and `profiles` (images.image_profiles) are of the images."""
        yield from self.spectral(profiles)
        yield from self.of_channels()
        yield from self.by_distance()
        yield from self.dimensions(group)

    def row(self, name: str, parameter: str, value: float | str, null: float | str, n: int | None = None) -> Row:
        variant = f"{self.variant};{parameter}" if parameter else self.variant
        return Row(name, variant, value, null, self.found.number if n is None else n)

    @property
    def pooled(self) -> torch.Tensor:
        """The mean of the cells of every latent, (N, C) float64."""
        return torch.cat(self.found.pooled)

    def spectrum(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Frequencies (k,) in cycles per cell, without 0, and the share of the mean power of each."""
        frequency, power = radial_power(self.found.fourier / self.found.number)
        return frequency, power / power.sum().clamp(min=1e-300)

    def spectral(self, profiles: dict[Setting, torch.Tensor]) -> Iterator[Row]:
        small = f"a grid of {self.found.grid[0]}" if min(self.found.grid) < SMALLEST_GRID else None
        for i, tau in enumerate(TAUS):
            pair = [None if small else float(sums.share[i] / sums.shares[i]) for sums in self.pair]
            yield self.row("sec", f"tau={tau}", *(or_absent(share, small or "no energy") for share in pair))
        slopes = [radial_slope(sums.fourier / sums.number) for sums in self.pair]
        few = "fewer than 3 wave numbers" if min(self.found.grid) < 8 else "no power"
        yield self.row("radial_slope", "", *(or_absent(slope, small or few) for slope in slopes))
        for setting, profile in profiles.items():
            of_pair = (radial_profile(sums.power / sums.number, setting.bins, setting.delta) for sums in self.pair)
            found = [None if small else divergence(profile, other) for other in of_pair]
            yield self.row("spectral_kl", str(setting), *(or_absent(kl, small or "empty bins") for kl in found))

    @property
    def pair(self) -> tuple[Sums, Sums]:
        return self.found, self.positions

    def of_channels(self) -> Iterator[Row]:
        one = "one channel" if len(self.found.sums) < 2 else None
        functions = {"effective_rank": effective_rank, "participation": participation, "condition": condition}
        constant = not bool((self.found.covariance.diagonal() > 0).all())
        dependent = "a constant channel" if constant else "a channel follows from others"
        spectra = [eigenvalues(sums.covariance) for sums in (self.found, self.each)]
        for name, function in functions.items():
            pair = [None if one else function(values) for values in spectra]
            yield self.row(name, "", *(or_absent(value, one or dependent) for value in pair))
        pair = [None if one else mean_correlation(sums.covariance) for sums in (self.found, self.each)]
        yield self.row("channel_correlation", "", *(or_absent(value, one or "constant channels") for value in pair))

    def by_distance(self) -> Iterator[Row]:
        similarity = [(sums.similarity / sums.number).tolist() for sums in self.pair]
        why = f"a grid of {min(self.found.grid)}"
        yield self.row("lds", "near=1,far=6", *(or_absent(near_minus_far(one), why) for one in similarity))
        yield self.row("cds", f"steps={STEPS}", *(or_absent(decay(one), why) for one in similarity))
        yield self.row("srss", "", *[absent("needs masks of regions")] * 2)

    def dimensions(self, group: np.ndarray) -> Iterator[Row]:
        chosen = sample(len(group))
        pooled, group = self.pooled[torch.from_numpy(chosen).to(self.found.sums.device)], group[chosen]
        noise = torch.randn(pooled.shape, generator=self.generator, dtype=torch.float64).to(pooled.device)
        few, mu = "fewer than 20 groups", []
        if len(np.unique(group)) >= 20:
            few, mu = "equal latents", [ratios(nearest(features, group, 2)[0]) for features in (pooled, noise)]
        functions = {("twonn", f"dropped={dropped}"): partial(twonn, dropped=dropped) for dropped in DISCARDED}
        for (name, parameter), function in (functions | {("mle_dimension", ""): mle_dimension}).items():
            pair = [or_absent(function(one), few) for one in mu] or [absent(few)] * 2
            yield self.row(name, parameter, *pair, len(mu[0]) if mu else len(group))


def sample(number: int, most: int = NEIGHBOURS) -> np.ndarray:
    """At most so many of `number` rows, ascending, always the same: distances of all pairs grow with the square."""
    return np.sort(np.random.default_rng(0).permutation(number)[:most])


def diagnose_latents(
    blocks: Iterable[torch.Tensor], mean: np.ndarray, std: np.ndarray, device: torch.device
) -> list[Diagnosis]:
    """One pass over latents that come in blocks (n, C, h, w) as stored; moments (C,) are of all rows."""
    variants: dict[str, Diagnosis] = {}
    shift, scale = (torch.from_numpy(np.asarray(part, np.float32)).to(device)[:, None, None] for part in (mean, std))
    for z in blocks:
        z = z.to(device).float()
        for variant, values in (("normalised", (z - shift) / scale.clamp(min=1e-6)), ("raw", z)):
            if variant not in variants:
                variants[variant] = Diagnosis(variant, z.shape[1], tuple(z.shape[2:]), device)
            variants[variant].add(values)
    return [*variants.values()]
