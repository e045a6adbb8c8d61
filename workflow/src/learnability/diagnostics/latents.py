"""The numbers about latents that need neither labels nor the autoencoder, in one pass over them."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from .channels import condition, covariance, effective_rank, eigenvalues, mean_correlation, participation
from .images import SETTINGS, Setting
from .neighbours import mle_dimension, nearest, ratios, twonn
from .positions import STEPS, decay, near_minus_far, similarity_by_distance
from .spectra import (
    dct,
    divergence,
    fourier_power,
    high_frequency_share,
    radial_means,
    radial_power,
    radial_profile,
    radial_slope,
)

TAUS = (0.25, 0.5, 0.75)
DISCARDED = (0.05, 0.1, 0.2)
NEIGHBOURS = 5000  # rows among which neighbours are sought
CONSTANT = 1e-6  # the deviation below which a channel does not vary
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


class Products:
    """What the covariance of latents (n, C, h, w) is made of, summed over blocks in float64."""

    def __init__(self, channels: int, grid: tuple[int, int], device: torch.device):
        self.zeros = partial(torch.zeros, dtype=torch.float64, device=device)
        self.number, self.grid = 0, grid
        self.products, self.sums = self.zeros(channels, channels), self.zeros(channels)

    def add(self, z: torch.Tensor) -> None:
        cells = z.movedim(1, -1).reshape(-1, z.shape[1]).double()
        self.products += cells.T @ cells
        self.sums += cells.sum(dim=0)
        self.number += len(z)

    @property
    def covariance(self) -> torch.Tensor:
        return covariance(self.products, self.sums, self.number * self.grid[0] * self.grid[1])


class Sums(Products):
    """Also what their spectra and distances are made of; of each latent only its radial power (bins) is kept."""

    def __init__(self, channels: int, grid: tuple[int, int], device: torch.device):
        super().__init__(channels, grid, device)
        self.fourier = self.zeros(*grid)
        self.share, self.shares = self.zeros(len(TAUS)), self.zeros(len(TAUS))
        self.similarity = self.zeros(min(grid) - 1)
        self.radial: dict[int, list[torch.Tensor]] = {setting.bins: [] for setting in SETTINGS}

    def add(self, z: torch.Tensor) -> None:
        super().add(z)
        power = dct(z).square()
        for bins, means in self.radial.items():
            means.append(radial_means(power.mean(dim=1), bins))
        self.fourier += fourier_power(z).mean(dim=1).sum(dim=0)
        for i, tau in enumerate(TAUS):
            share = high_frequency_share(power, tau)
            self.share[i] += share.nansum()
            self.shares[i] += torch.isfinite(share).sum()
        if min(self.grid) > 1:
            self.similarity += similarity_by_distance(z) * len(z)


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
        self.found, self.positions = (Sums(channels, grid, device) for _ in range(2))
        self.each = Products(channels, grid, device)
        self.means: list[torch.Tensor] = []  # of the cells of every latent: neighbours need all of them
        self.generator = torch.Generator().manual_seed(0)

    def add(self, z: torch.Tensor) -> None:
        self.found.add(z)
        self.means.append(z.double().mean(dim=(2, 3)))
        self.positions.add(shuffled(z, self.generator, together=True))
        self.each.add(shuffled(z, self.generator, together=False))

    def rows(self, group: np.ndarray, chosen: np.ndarray, profiles: dict[Setting, torch.Tensor]) -> Iterator[Row]:
        """Every number that needs no label; `group` (N,) is of all images, `profiles` (image_profiles) of `chosen`."""
        yield from self.spectral()
        yield from self.beside_images(chosen, profiles)
        yield from self.of_channels()
        yield from self.by_distance()
        yield from self.dimensions(group)

    def row(self, name: str, parameter: str, value: float | str, null: float | str, n: int | None = None) -> Row:
        variant = f"{self.variant};{parameter}" if parameter else self.variant
        return Row(name, variant, value, null, self.found.number if n is None else n)

    @property
    def pooled(self) -> torch.Tensor:
        """The mean of the cells of every latent, (N, C) float64."""
        return torch.cat(self.means)

    def spectrum(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Frequencies (k,) in cycles per cell, without 0, and the share of the mean power of each."""
        frequency, power = radial_power(self.found.fourier / self.found.number)
        return frequency, power / power.sum().clamp(min=1e-300)

    @property
    def small(self) -> str | None:
        """Why a grid has no spectrum; None if it has one."""
        return f"a grid of {self.found.grid[0]}" if min(self.found.grid) < SMALLEST_GRID else None

    def spectral(self) -> Iterator[Row]:
        small = self.small
        for i, tau in enumerate(TAUS):
            pair = [None if small else float(sums.share[i] / sums.shares[i]) for sums in self.pair]
            yield self.row("sec", f"tau={tau}", *(or_absent(share, small or "no energy") for share in pair))
        slopes = [radial_slope(sums.fourier / sums.number) for sums in self.pair]
        few = "fewer than 3 wave numbers" if min(self.found.grid) < 8 else "no power"
        yield self.row("radial_slope", "", *(or_absent(slope, small or few) for slope in slopes))

    def beside_images(self, chosen: np.ndarray, profiles: dict[Setting, torch.Tensor]) -> Iterator[Row]:
        """Of each image and its latent, then the mean; those without any power are left out."""
        for setting, profile in profiles.items():
            latents = [radial_profile(torch.cat(sums.radial[setting.bins]).cpu()[chosen]) for sums in self.pair]
            found = [kl[torch.isfinite(kl)] for kl in (divergence(profile, other) for other in latents)]
            means = [None if self.small or not len(kl) else float(kl.mean()) for kl in found]
            pair = [or_absent(mean, self.small or "no power") for mean in means]
            yield self.row("spectral_kl", str(setting), *pair, len(found[0]))

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


def stratified(label: np.ndarray, number: int) -> np.ndarray:
    """At most `number` rows (n,), ascending, always the same: of each class its share, and one at least."""
    order = np.random.default_rng(0).permutation(len(label))
    place = np.empty(len(label))  # of a row within its class, from 0 to 1; the first of each come before all others
    for k in np.unique(label):
        rows = order[label[order] == k]
        place[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
        place[rows[0]] = 0
    return np.sort(order[np.argsort(place[order], kind="stable")[:number]])


def scaling(mean: np.ndarray, std: np.ndarray, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """What normalises latents (n, C, h, w) with moments (C,): shift and scale (C, 1, 1); 1 for a constant channel."""
    parts = mean, np.where(std < CONSTANT, 1, std)
    shift, scale = (torch.from_numpy(np.asarray(part, np.float32)).to(device)[:, None, None] for part in parts)
    return shift, scale


def diagnose_latents(
    blocks: Iterable[torch.Tensor], mean: np.ndarray, std: np.ndarray, device: torch.device
) -> list[Diagnosis]:
    """One pass over latents that come in blocks (n, C, h, w) as stored; moments (C,) are of all rows."""
    variants: dict[str, Diagnosis] = {}
    shift, scale = scaling(mean, std, device)
    for z in blocks:
        z = z.to(device).float()
        for variant, values in (("normalised", (z - shift) / scale), ("raw", z)):
            if variant not in variants:
                variants[variant] = Diagnosis(variant, z.shape[1], tuple(z.shape[2:]), device)
            variants[variant].add(values)
    return [*variants.values()]
