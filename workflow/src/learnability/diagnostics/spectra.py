"""How the energy of latents lies over spatial frequencies."""

import torch

from ..classifiers.transforms.dct import beyond, dct_matrix

BINS = 16  # radial bins of the spectral divergence


def dct(z: torch.Tensor) -> torch.Tensor:
    """Orthonormal two-dimensional DCT of each channel of z (n, C, h, w), over its whole grid."""
    rows, columns = (dct_matrix(side).to(z) for side in z.shape[2:])
    return rows @ z @ columns.T  # (n, C, h, w)


def high_frequency_share(power: torch.Tensor, tau: float) -> torch.Tensor:
    """SEC: the share of the DCT's energy beyond u + v > tau (h + w - 2), of each channel: (n, C, h, w) -> (n, C).

    Spectral energy concentration, arXiv 2606.03578, equations 7 to 9; white noise has .875 at tau .25 and .5 at .5. A
    channel without any energy gives NaN.
    """
    high = beyond(*power.shape[2:], tau).to(power)
    return (power * high).sum(dim=(2, 3)) / power.sum(dim=(2, 3))


def fourier_power(z: torch.Tensor) -> torch.Tensor:
    """Power of the discrete Fourier transform of z (n, C, h, w), without its mean: (n, C, h, w)."""
    return torch.fft.fft2(z - z.mean(dim=(2, 3), keepdim=True), norm="ortho").abs().square()


def radial_power(power: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Frequencies k / side, k = 1 .. side // 2, and the mean of a Fourier power (h, w) over each ring; both float64."""
    height, width = power.shape
    radius = torch.hypot(torch.fft.fftfreq(height)[:, None] * height, torch.fft.fftfreq(width) * width).round().long()
    k = torch.arange(1, min(height, width) // 2 + 1)
    mean = [power[(radius == number).to(power.device)].mean() for number in k]
    return k.double() / min(height, width), torch.tensor(mean, dtype=torch.float64)


def radial_slope(power: torch.Tensor) -> float | None:
    """Least-squares slope of log mean power over log k, k = 1 .. h / 2 - 1, of a mean Fourier power (h, w).

    White noise has 0, a field of power 1 / f^2 has -2. None where a grid has fewer than three such k, or no power.
    """
    side = min(power.shape)
    frequency, mean = (values[: max(side // 2 - 1, 0)] for values in radial_power(power))
    if len(frequency) < 3 or not bool((mean > 0).all()):
        return None
    x = frequency.log() - frequency.log().mean()
    return float((x * mean.log()).sum() / x.square().sum())


def radial_means(power: torch.Tensor, bins: int = BINS) -> torch.Tensor:
    """The means of DCT powers (n, h, w) over bins floor(bins r / r_max), the constant part as 0: float64 (n, bins)."""
    height, width = power.shape[1:]
    radius = torch.hypot(torch.arange(height, dtype=torch.float64)[:, None], torch.arange(width, dtype=torch.float64))
    number = (bins * radius / radius.max().clamp(min=1)).long().clamp(max=bins - 1).flatten()
    of_bin = torch.nn.functional.one_hot(number, bins).double()
    share = of_bin / of_bin.sum(dim=0).clamp(min=1)
    share[0] = 0  # the constant part
    return power.double().flatten(1) @ share.to(power.device)


def radial_profile(means: torch.Tensor, delta: float = 0.0) -> torch.Tensor:
    """Distributions over frequencies of radial means (n, bins): log(1 + mean f^delta), f = 1 .. bins, as shares.

    Spectrum matching, arXiv 2603.14645; empty bins have none. NaN where an image has no power.
    """
    weighted = torch.log1p(means * torch.arange(1, means.shape[1] + 1).to(means) ** delta)
    return weighted / weighted.sum(dim=1, keepdim=True)


def divergence(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Kullback-Leibler divergences (n) of distributions (n, bins), in nats; infinite where q lacks what p has."""
    return torch.where(p == 0, 0.0, p * (p / q).log()).sum(dim=1)
