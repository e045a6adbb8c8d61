"""The numbers that need the autoencoder itself: equivariance on a sample of images, and the posterior's noise."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from ..autoencoders.interface import Autoencoder
from ..autoencoders.passes import to_grey_levels
from .equivariance import Equivariance, transforms
from .latents import CONSTANT, Row, absent, or_absent, scaling


@torch.inference_mode()
def diagnose_autoencoder(
    autoencoder: Autoencoder, batches: Iterable[torch.Tensor], mean: np.ndarray, std: np.ndarray
) -> list[Row]:
    """Equivariance of encoder and decoder, on batches x (n, 3, H, W) in [-1, 1].

    Latents are normalised by the moments (C,) of all rows: channels that vary count alike, others not at all. The null
    of the encoder's E_T is that of two latents that have nothing to do with each other. A stochastic autoencoder has
    no equivariance, because it draws anew for each call.
    """
    shift, scale = scaling(mean, std, torch.device("cpu"))
    varies = torch.from_numpy(~(std < CONSTANT))
    measured: list[Equivariance] = []
    number = 0

    def encode(x: torch.Tensor) -> torch.Tensor:
        return (autoencoder.encode(x).float() - shift.to(x)) / scale.to(x)

    def decode(z: torch.Tensor) -> torch.Tensor:
        return to_grey_levels(autoencoder.decode(z * scale.to(z) + shift.to(z)))

    for x in batches:
        if not measured:
            found = transforms(autoencoder.factor, x.shape[2])
            measured = [Equivariance(one, autoencoder.factor, varies) for one in found]
        z = encode(x)
        for one in () if autoencoder.stochastic else measured:
            one.add(x, z, encode, decode if autoencoder.decodes else None)
        number += len(x)
    return [row for one in measured for row in rows_of(one, number, bool(varies.any()), autoencoder.stochastic)]


def rows_of(one: Equivariance, number: int, varies: bool, stochastic: bool) -> tuple[Row, Row]:
    """The two numbers about a transform, of encoder and decoder, on `number` images; `varies`: some channel does."""
    name = f"normalised;transform={one.transform.name}"
    pair, psnr = [absent("draws at random")] * 2, absent("draws at random")
    if not stochastic:
        why = "latents are not finite" if varies else "constant channels"
        pair = [or_absent(value, why) for value in (one.encoder(), one.null())]
        psnr = absent("no decoder")
    if one.decoded:
        psnr = or_absent(float(np.mean(one.decoded)), "images come back equal")
    return (
        Row("equivariance_encoder", name, *pair, number),
        Row("equivariance_decoder", name, psnr, absent("no null"), number),
    )


def noise_share(variance: Sequence[float] | None, std: np.ndarray, number: int, why: str = "no posterior") -> Row:
    """The posterior's share E[sigma^2] / (Var mu + E[sigma^2]) of each channel's variance, mean over those with any.

    `variance` (C,) is the posterior's, None without one (`why`); `std` (C,) the deviation of latents, both over all
    images.
    """
    share = absent(why)
    if variance is not None:
        total = np.square(std) + variance
        shares = np.asarray(variance)[total > 0] / total[total > 0]
        share = or_absent(float(shares.mean()) if len(shares) else None, "constant channels")
    return Row("posterior_noise_share", "raw", share, absent("no null"), number)
