"""The numbers that need the autoencoder itself: equivariance on a sample of images, and the posterior's noise."""

from collections.abc import Sequence

import numpy as np
import torch

from ..autoencoders.encode import images_at_once
from ..autoencoders.interface import Autoencoder, scale_input
from ..autoencoders.passes import to_grey_levels
from ..storage.channel_sums import channel_moments
from .equivariance import Equivariance, transforms
from .latents import CONSTANT, blocks, scaling
from .rows import Row, absent, or_absent, row


@torch.inference_mode()
def diagnose_sample(
    autoencoder: Autoencoder, entry: dict, images: np.ndarray, sums: np.ndarray, cells: int, device: torch.device
) -> list[Row]:
    """Equivariance of encoder and decoder, on RGB images uint8 (n, H, W, 3).

    Latents are normalised by the moments of all rows, from their sums (N, 2, C) over so many cells: channels that vary
    count alike, others not at all. The null of the encoder's E_T is that of two latents that have nothing to do with
    each other. A stochastic autoencoder has no equivariance, because it draws anew for each call.
    """
    mean, std = channel_moments(sums, np.arange(len(sums)), cells)
    shift, scale = scaling(mean, std, device)
    varies, size, factor = torch.from_numpy(~(std < CONSTANT)), images.shape[1], autoencoder.factor

    def encode(x: torch.Tensor) -> torch.Tensor:
        return (autoencoder.encode(x).float() - shift) / scale

    def decode(z: torch.Tensor) -> torch.Tensor:
        return to_grey_levels(autoencoder.decode(z * scale + shift))

    measured = [Equivariance(one, factor, varies) for one in transforms(factor, size)]
    for x in () if autoencoder.stochastic else blocks(images, images_at_once(size, device)):
        x = scale_input(x.to(device).movedim(-1, 1), entry)
        z = encode(x)
        for one in measured:
            one.add(x, z, encode, decode if autoencoder.decodes else None)
    drawn, number, rows = "draws at random" if autoencoder.stochastic else None, len(images), []
    why = "latents are not finite" if varies.any() else "constant channels"
    for one in measured:
        name = f"normalised;transform={one.transform.name}"
        errors = [] if drawn else [one.encoder(), one.null()]
        rows.append(row("equivariance_encoder", name, number, lambda error: error, errors, why, drawn))
        lossy = [psnr for psnr in one.decoded if np.isfinite(psnr)]  # a blank image comes back equal, as in Table 2
        psnr = float(np.mean(lossy)) if lossy else None
        no_psnr = drawn or ("images come back equal" if one.decoded else "no decoder")
        of = len(lossy) or number
        rows.append(Row("equivariance_decoder", name, or_absent(psnr, no_psnr), absent("no null"), of))
    return rows


def noise_share(variance: Sequence[float] | None, std: np.ndarray, number: int) -> Row:
    """The posterior's share E[sigma^2] / (Var mu + E[sigma^2]) of each channel's variance, mean over those with any.

    `variance` (C,) is the posterior's, None without one; `std` (C,) the deviation of latents, both over all images.
    """
    share, why = None, "no posterior"
    if variance is not None:
        total = np.square(std) + variance
        shares = np.asarray(variance)[total > 0] / total[total > 0]
        share, why = float(shares.mean()) if len(shares) else None, "constant channels"
    return Row("posterior_noise_share", "raw", or_absent(share, why), absent("no null"), number)
