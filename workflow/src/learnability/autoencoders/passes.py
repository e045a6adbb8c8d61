"""A batch through an autoencoder and back, as it is stored; the error names an image that cannot be stored."""

from collections.abc import Sequence

import numpy as np
import torch

from ..errors import InputError
from .interface import Autoencoder
from .randomness import apply, checked


def encode_batch(
    name: str, autoencoder: Autoencoder, x: torch.Tensor, ids: Sequence[str], seeds: Sequence[str] | None = None
) -> torch.Tensor:
    """Encode x (n, 3, H, W) in [-1, 1] to latents (n, C, h, w) as they are stored.

    A stochastic autoencoder draws for each image by its `seeds` (n), texts; those of a study are its `ids` (n). An
    InputError names the autoencoder `name` and the first of `ids` whose latent cannot be stored.
    """
    return as_stored(name, autoencoder, apply(name, autoencoder, "encode", x, seeds or ids), ids)


def encode_posterior(
    name: str, autoencoder: Autoencoder, x: torch.Tensor, ids: Sequence[str]
) -> tuple[torch.Tensor, np.ndarray]:
    """As encode_batch, and the posterior's variance, mean over the cells of each channel: float64 (n, C).

    NaN where there is no posterior: in the classes of diffusers alone there may be one.
    """
    if autoencoder.stochastic or not hasattr(autoencoder, "posterior"):
        z, variance = apply(name, autoencoder, "encode", x, ids), None
    else:
        z, variance = autoencoder.posterior(x)
        z = checked(name, autoencoder, "encode", x, z)
    stored = as_stored(name, autoencoder, z, ids)
    if variance is None:
        return stored, np.full((len(x), autoencoder.channels), np.nan)
    return stored, variance.double().mean(dim=(2, 3)).cpu().numpy()


def as_stored(name: str, autoencoder: Autoencoder, z: torch.Tensor, ids: Sequence[str]) -> torch.Tensor:
    """Latents (n, C, h, w) in the type in which they are stored; an InputError names the first that cannot be."""
    stored = z.to(getattr(torch, autoencoder.latent_dtype))
    finite = are_finite(z) & are_finite(stored)
    if not bool(finite.all()):
        raise InputError(
            f"latent of image {first_outside(finite, ids)!r} has NaN, infinity or values beyond "
            f"{autoencoder.latent_dtype}: autoencoder {name} cannot encode it; {what_to_do(name)}"
        )
    return stored


def decode_batch(name: str, autoencoder: Autoencoder, z: torch.Tensor, ids: Sequence[str]) -> torch.Tensor:
    """Decode stored latents (n, C, h, w) to uint8 x_hat (n, 3, H, W).

    An InputError names the autoencoder `name` and the first of `ids` (n) whose reconstruction is no image: NaN would
    become black, and infinity white.
    """
    x_hat = apply(name, autoencoder, "decode", z.float(), ids)
    finite = are_finite(x_hat)
    if not bool(finite.all()):
        raise InputError(
            f"reconstruction of image {first_outside(finite, ids)!r} has NaN or infinity: autoencoder {name} cannot "
            f"decode its latent; {what_to_do(name)}"
        )
    return to_grey_levels(x_hat)


def are_finite(x: torch.Tensor) -> torch.Tensor:
    """Whether each of x (n, C, H, W) has finite values alone: bool (n,)."""
    return torch.isfinite(x.abs().amax(dim=(1, 2, 3)))  # of all values a CPU takes eight times as long


def first_outside(finite: torch.Tensor, ids: Sequence[str]) -> str:
    """The first of `ids` where `finite` (n,) does not hold."""
    return str(ids[int(torch.nonzero(~finite)[0])])


def what_to_do(name: str) -> str:
    """Advice where numbers left their range."""
    return (
        f"set autoencoders.{name}.torch_dtype to float32 if it is another (half precision overflows), and check that "
        "the weights belong to this class and that the image has 8 bits a channel"
    )


def to_grey_levels(x: torch.Tensor) -> torch.Tensor:
    """Finite x in [-1, 1] to uint8 0..255, clamped and rounded."""
    return x.clamp(-1, 1).add_(1).mul_(127.5).round_().to(torch.uint8)


def area_average(x: torch.Tensor, size: int) -> torch.Tensor:
    """storage.arrays.area_average on the device: uint8 (n, C, H, W) to (n, C, size, size), the mean rounded half up."""
    height, width = x.shape[2:]
    if height % size or width % size:
        raise ValueError(f"images of {height} x {width} pixels cannot be averaged to {size}: not a multiple")
    rows, columns = height // size, width // size
    # One axis after the other, which a CPU does in a third of the time; whole numbers, so exact.
    total = x.unflatten(2, (size, rows)).sum(3, dtype=torch.int32)
    total = total.unflatten(3, (size, columns)).sum(4, dtype=torch.int32)  # (n, C, size, size)
    area = rows * columns
    return total.add_(area // 2).div_(area, rounding_mode="floor").to(torch.uint8)
