"""The numbers about latents that need neither labels nor the autoencoder, in one pass over them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
import torch

from ..storage.arrays import rows_from
from .channels import condition, covariance, effective_rank, eigenvalues, mean_correlation, participation
from .images import SETTINGS, Setting
from .neighbours import NEIGHBOURS, mle_dimension, nearest, ratios, twonn
from .positions import FAR, NEAR, STEPS, decay, near_minus_far, similarity_by_distance
from .rows import Row, row
from .samples import sample
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

ROWS = 64  # latents of a block
TAUS = (0.25, 0.5, 0.75)
DISCARDED = (0.05, 0.1, 0.2)
CONSTANT = 1e-6  # the deviation below which a channel does not vary
SMALLEST_GRID = 5  # cells a side below which a spectrum or a distance says nothing
FEWEST_GROUPS = 20  # of which a dimension is estimated


class Products:
    """What the covariance of latents (n, C, h, w) is made of, summed over blocks in float64."""

    def __init__(self) -> None:
        self.number, self.cells = 0, 0
        self.products, self.sums = 0.0, 0.0

    def add(self, z: torch.Tensor) -> None:
        cells = z.movedim(1, -1).reshape(-1, z.shape[1]).double()
        self.products += cells.T @ cells
        self.sums += cells.sum(dim=0)
        self.number += len(z)
        self.cells += len(cells)

    @property
    def covariance(self) -> torch.Tensor:
        return covariance(self.products, self.sums, self.cells)


class Sums(Products):
    """Also what their spectra and distances are made of; of each latent only its radial power (bins) is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.fourier, self.share, self.shares, self.similarity = 0.0, 0.0, 0.0, 0.0
        self.radial: dict[int, list[torch.Tensor]] = defaultdict(list)

    def add(self, z: torch.Tensor) -> None:
        super().add(z)
        power = dct(z).square()
        for bins in {setting.bins for setting in SETTINGS}:
            self.radial[bins].append(radial_means(power.mean(dim=1), bins))
        self.fourier += fourier_power(z).mean(dim=1).sum(dim=0).double()
        shares = [high_frequency_share(power, tau) for tau in TAUS]
        self.share += torch.stack([share.nansum() for share in shares]).double()
        self.shares += torch.stack([torch.isfinite(share).sum() for share in shares]).double()
        self.similarity += similarity_by_distance(z) * len(z)


def shuffled(z: torch.Tensor, generator: torch.Generator, together: bool) -> torch.Tensor:
    """z (n, C, h, w) with the cells of each image in random order: of all channels alike, or of each its own."""
    number, channels, height, width = z.shape
    keys = torch.rand(number, 1 if together else channels, height * width, generator=generator).to(z.device)
    order = keys.argsort(dim=2).expand(number, channels, -1)
    return z.flatten(2).gather(2, order).view_as(z)


class Diagnosis:
    """Numbers about latents, of one variant: `raw`, or `normalised` with moments of all rows (no label enters)."""

    def __init__(self, variant: str) -> None:
        self.variant = variant
        self.found, self.positions, self.each = Sums(), Sums(), Products()
        self.means: list[torch.Tensor] = []  # of the cells of every latent: neighbours need all of them
        self.generator = torch.Generator().manual_seed(0)

    def add(self, z: torch.Tensor) -> None:
        self.side = min(z.shape[2:])
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

    def row(self, name: str, parameter: str, *found, n: int | None = None) -> Row:
        """As rows.row, of all images unless `n` says of how many."""
        variant = f"{self.variant};{parameter}" if parameter else self.variant
        return row(name, variant, self.found.number if n is None else n, *found)

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
        return f"a grid of {self.side}" if self.side < SMALLEST_GRID else None

    def spectral(self) -> Iterator[Row]:
        pair = self.found, self.positions
        for i, tau in enumerate(TAUS):
            shares = [sums.share[i] / sums.shares[i] for sums in pair]
            yield self.row("sec", f"tau={tau}", float, shares, "no energy", self.small)
        powers = [sums.fourier / sums.number for sums in pair]
        few = "fewer than 3 wave numbers" if self.side < 8 else "no power"
        yield self.row("radial_slope", "", radial_slope, powers, few, self.small)

    def beside_images(self, chosen: np.ndarray, profiles: dict[Setting, torch.Tensor]) -> Iterator[Row]:
        """How far each image diverges from its latent, averaged; those without any power are left out."""
        for setting, profile in profiles.items():
            powers = [torch.cat(sums.radial[setting.bins]).cpu()[chosen] for sums in (self.found, self.positions)]
            found = [kl[kl.isfinite()] for kl in (divergence(profile, radial_profile(power)) for power in powers)]
            means = [kl.mean() for kl in found]
            yield self.row("spectral_kl", str(setting), float, means, "no power", self.small, n=len(found[0]))

    def of_channels(self) -> Iterator[Row]:
        covariances = [sums.covariance for sums in (self.found, self.each)]
        spectra = [eigenvalues(covariance) for covariance in covariances]
        one = "one channel" if len(covariances[0]) < 2 else None
        constant = not bool((covariances[0].diagonal() > 0).all())
        dependent = "a constant channel" if constant else "a channel follows from others"
        functions = {"effective_rank": effective_rank, "participation": participation, "condition": condition}
        for name, function in functions.items():
            yield self.row(name, "", function, spectra, dependent, one)
        yield self.row("channel_correlation", "", mean_correlation, covariances, "constant channels", one)

    def by_distance(self) -> Iterator[Row]:
        pair = [(sums.similarity / sums.number).tolist() for sums in (self.found, self.positions)]
        small = f"a grid of {self.side}"
        yield self.row("lds", f"near={NEAR},far={FAR}", near_minus_far, pair, small)
        yield self.row("cds", f"steps={STEPS}", decay, pair, small)
        yield self.row("srss", "", None, pair, "", "needs masks of regions")

    def dimensions(self, group: np.ndarray) -> Iterator[Row]:
        chosen = sample(len(group), NEIGHBOURS)
        pooled, group = self.pooled[chosen], group[chosen]
        noise = torch.randn(pooled.shape, generator=self.generator, dtype=torch.float64).to(pooled.device)
        few = f"fewer than {FEWEST_GROUPS} groups" if len(np.unique(group)) < FEWEST_GROUPS else None
        pair = [] if few else [ratios(nearest(features, group, 2)[0]) for features in (pooled, noise)]
        functions = {("twonn", f"dropped={dropped}"): partial(twonn, dropped=dropped) for dropped in DISCARDED}
        for name, function in (functions | {("mle_dimension", ""): mle_dimension}).items():
            yield self.row(*name, function, pair, "equal latents", few, n=len(pair[0]) if pair else len(group))


def blocks(array: np.ndarray, rows: int = ROWS) -> Iterator[torch.Tensor]:
    """The rows of an array (N, ...), in order; of anything else that has a length and gives arrays for slices."""
    for start in range(0, len(array), rows):
        yield torch.from_numpy(rows_from(array, start, start + rows))


def scaling(mean: np.ndarray, std: np.ndarray, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """What normalises latents (n, C, h, w) with moments (C,): shift and scale (C, 1, 1); 1 for a constant channel."""
    parts = mean, np.where(std < CONSTANT, 1, std)
    shift, scale = (torch.from_numpy(np.asarray(part, np.float32)).to(device)[:, None, None] for part in parts)
    return shift, scale


def diagnose_latents(
    blocks: Iterable[torch.Tensor], mean: np.ndarray, std: np.ndarray, device: torch.device
) -> tuple[Diagnosis, Diagnosis]:
    """One pass over latents that come in blocks (n, C, h, w) as stored; moments (C,) are of all rows."""
    normalised, raw = Diagnosis("normalised"), Diagnosis("raw")
    shift, scale = scaling(mean, std, device)
    for z in blocks:
        z = z.to(device).float()
        normalised.add((z - shift) / scale)
        raw.add(z)
    return normalised, raw
