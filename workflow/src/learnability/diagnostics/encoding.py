"""Every number about one encoding as a table, from arrays as they are stored."""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
import torch

from ..autoencoders.interface import Autoencoder, scale_input
from ..storage.channel_sums import channel_moments
from .encoder import diagnose_autoencoder
from .latents import Row, diagnose_latents, image_profiles

DIAGNOSTICS = ["dataset", "autoencoder", "role", "diagnostic", "variant", "value", "null", "n"]
ROWS = 64  # latents of a block
SAMPLE = 128  # images that are encoded again
BATCH = 4


def blocks(array: np.ndarray, rows: int = ROWS) -> Iterator[torch.Tensor]:
    """The rows of an array (N, ...), in order."""
    for start in range(0, len(array), rows):
        yield torch.from_numpy(np.array(array[start : start + rows]))


def diagnose_array(
    z: np.ndarray, sums: np.ndarray, images: np.ndarray, group: np.ndarray, device: torch.device
) -> list[Row]:
    """What needs no autoencoder: of latents z (N, C, h, w) with their sums (N, 2, C) and groups (N,).

    `images` (n, H, W, C) are a sample for the spectrum of images.
    """
    mean, std = channel_moments(sums, np.arange(len(z)), z[0, 0].size)
    profile = image_profiles(torch.from_numpy(images).movedim(-1, 1), tuple(z.shape[2:]))
    variants = diagnose_latents(blocks(z), mean, std, device)
    return [row for diagnosis in variants for row in diagnosis.rows(group, profile)]


def diagnose_sample(
    autoencoder: Autoencoder, entry: dict, images: np.ndarray, sums: np.ndarray, cells: int, device: torch.device
) -> list[Row]:
    """What needs the autoencoder: of RGB images uint8 (n, H, W, 3)."""
    mean, std = channel_moments(sums, np.arange(len(sums)), cells)
    batches = (scale_input(x.to(device).movedim(-1, 1), entry) for x in blocks(images, BATCH))
    return diagnose_autoencoder(autoencoder, batches, mean, std)


def as_table(rows: Iterable[Row], dataset: str, autoencoder: str, role: str) -> pd.DataFrame:
    """The rows as the file of an encoding has them."""
    table = pd.DataFrame(rows, columns=Row._fields)
    return table.assign(dataset=dataset, autoencoder=autoencoder, role=role)[DIAGNOSTICS]
