"""Shape and bytes of the arrays that a study stores, as its configuration says."""

import math
from typing import NamedTuple

from .cells import decodes, resolve_autoencoder
from .controls import ENCIPHERED, LOSSLESS

GREY_LEVELS = (LOSSLESS, ENCIPHERED, "area_downsample")  # whose latents are bytes; others are float16


class ArraySize(NamedTuple):
    """A packed array: so many images as rows of C channels, side x side."""

    images: int
    channels: int
    side: int

    @property
    def megapixels(self) -> float:
        return self.images * self.side**2 / 1e6


def row_shape(config: dict, space: str, autoencoder: str) -> tuple[int, int, int]:
    """(C, H, W) of what a classifier reads of one image: RGB pixels, or the latent on its autoencoder's grid."""
    if space != "latent":
        return 3, config["classifier_size"], config["classifier_size"]
    entry = resolve_autoencoder(config, autoencoder)
    side = config["image_size"] // entry["factor"]
    return entry["channels"], side, side


def row_bytes(config: dict, space: str, autoencoder: str) -> int:
    """Bytes of that row as it is stored."""
    is_float = space == "latent" and resolve_autoencoder(config, autoencoder)["class"] not in GREY_LEVELS
    return math.prod(row_shape(config, space, autoencoder)) * (2 if is_float else 1)


def encoding_bytes(config: dict, autoencoder: str) -> int:
    """Bytes that an encoding stores of one image: its latent, the latter's sums, and its reconstruction if any."""
    spaces = ("latent", "reconstruction") if decodes(config, autoencoder) else ("latent",)
    sums = 2 * 8 * row_shape(config, "latent", autoencoder)[0]
    return sums + sum(row_bytes(config, space, autoencoder) for space in spaces)


def views_bytes(config: dict, autoencoder: str, copies: int) -> int:
    """Bytes that encode_views stores of one image: latent and reconstruction of each copy."""
    spaces = ("latent", "reconstruction") if decodes(config, autoencoder) else ("latent",)
    return copies * sum(row_bytes(config, space, autoencoder) for space in spaces)


def packing_bytes(config: dict, channels: int) -> int:
    """Bytes that prepare_dataset stores of one image: at `image_size` with its channels, small in RGB."""
    return channels * config["image_size"] ** 2 + row_bytes(config, "image", "original")
