"""Every number about one encoding as a table, from arrays as they are stored (the step diagnose_encoding)."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from ..autoencoders.encode import open_dataset
from ..autoencoders.interface import load_autoencoder
from ..errors import InputError
from ..storage.arrays import as_rgb, open_packed
from ..storage.channel_sums import channel_moments, channel_sums
from ..storage.contracts import read_json, refuse_damaged, write_csv
from .classes import diagnose_classes
from .encoder import diagnose_sample, noise_share
from .images import AtGrid, image_profiles
from .latents import blocks, diagnose_latents
from .rows import Row
from .samples import stratified
from .teacher import diagnose_likeness, teacher_features

DIAGNOSTICS = ["dataset", "autoencoder", "role", "diagnostic", "variant", "value", "null", "n"]
SPECTRUM = ["dataset", "autoencoder", "role", "frequency", "power"]
IMAGES = {"autoencoder": "original", "role": "baseline"}  # the images themselves, at the latent's grid
SAMPLE = 128  # images that `learnability diagnose` encodes again


class Described(NamedTuple):
    """What was found of latents: their deviation (C,), every number, and frequencies (k,) with their share of power."""

    std: np.ndarray
    rows: list[Row]
    spectrum: tuple[torch.Tensor, torch.Tensor]


class Seen(NamedTuple):
    """A sample of the images: its `rows` (n,) of all, and the `images` (n, H, W, C) themselves."""

    rows: np.ndarray
    images: np.ndarray


class Labelled(NamedTuple):
    """What a dataset says of its images: labels (N,), and a teacher's features (n, d) of those that are `Seen`."""

    label: np.ndarray
    features: torch.Tensor | None = None


def diagnose_array(
    z: np.ndarray | AtGrid,
    sums: np.ndarray,
    seen: Seen,
    group: np.ndarray,
    device: torch.device,
    labelled: Labelled | None = None,
) -> Described:
    """What needs no autoencoder: of latents z (N, C, h, w), with sums (N, 2, C) and groups (N,).

    The images that are `seen` are compared with their latents by spectrum. What needs labels or a teacher is left out
    where they are not given.
    """
    grid = z[:1].shape[2:]
    profiles = image_profiles(torch.from_numpy(seen.images).movedim(-1, 1), grid)
    mean, std = channel_moments(sums, np.arange(len(sums)), grid[0] * grid[1])
    variants, rows = diagnose_latents(blocks(z), mean, std, device), []
    for found in variants:
        rows += found.rows(group, seen.rows, profiles)
        if labelled:
            rows += diagnose_classes(found.variant, found.pooled, labelled.label, group)
            rows += diagnose_likeness(found.variant, found.pooled[seen.rows], labelled.features)
    return Described(std, rows, variants[0].spectrum())


def diagnose_encoding(
    entry: dict,
    dataset: Path,
    encoding: Path,
    number: int,
    device: torch.device,
    table: Path,
    spectrum: Path,
    teacher: tuple[str, Path] | None = None,
) -> None:
    """Write `table` and `spectrum` of an encoding, and in them of its images at the latent's grid.

    `number` images, a sample stratified by class, are passed through the autoencoder again, and through the `teacher`:
    a timm model and the file of its weights. Labels and groups are those of the dataset; latents are described by all
    rows.
    """
    _, images, samples = open_dataset(dataset)
    described, z, sums = open_encoding(encoding, len(samples))
    label, group = samples["label"].to_numpy(), samples["group"].to_numpy()
    chosen = stratified(label, number)
    seen, features = Seen(chosen, images[chosen]), None
    if teacher:
        features = teacher_features(*teacher, open_packed(dataset / "images_small.npy")[chosen], device)
    of_latents = diagnose_array(z, sums, seen, group, device, Labelled(label, features))
    of_latents.rows.append(noise_share(described["posterior_variance"], of_latents.std, len(z)))
    autoencoder = load_autoencoder(entry, device)
    of_latents.rows.extend(diagnose_sample(autoencoder, entry, as_rgb(seen.images), sums, z[0, 0].size, device))
    pixels = AtGrid(images, z.shape[2])
    sums = np.concatenate([channel_sums(x.numpy()) for x in blocks(pixels)])
    of_images = diagnose_array(pixels, sums, seen, group, device, Labelled(label, features))
    name = {key: described[key] for key in ("dataset", "autoencoder", "role")}
    both = [(of_latents, name), (of_images, name | IMAGES)]
    curves = [as_spectrum(found.spectrum, **names) for found, names in both]
    write_csv(pd.concat([as_table(found.rows, **names) for found, names in both], ignore_index=True), table)
    write_csv(pd.concat(curves, ignore_index=True), spectrum)


def open_encoding(folder: Path, images: int) -> tuple[dict, np.ndarray, np.ndarray]:
    """The card, latents (N, C, h, w) and their sums (N, 2, C) of an encoding; damaged ones are refused."""
    card = read_json(folder / "autoencoder.json")
    for name in ("latents.npy", "channel_sums.npy"):
        refuse_damaged(folder / name, card)
    z, sums = open_packed(folder / "latents.npy"), open_packed(folder / "channel_sums.npy")
    if not len(z) == len(sums) == images:
        raise InputError(f"{folder}: {len(z)} latents of {images} images; delete it and run again")
    return card, z, sums


def as_table(rows: Iterable[Row], dataset: str, autoencoder: str, role: str) -> pd.DataFrame:
    """The rows as the file of an encoding has them."""
    table = pd.DataFrame(rows, columns=Row._fields)
    return table.assign(dataset=dataset, autoencoder=autoencoder, role=role)[DIAGNOSTICS]


def as_spectrum(found: tuple[torch.Tensor, torch.Tensor], dataset: str, autoencoder: str, role: str) -> pd.DataFrame:
    """The radially averaged power as the file of an encoding has it."""
    frequency, power = (values.tolist() for values in found)
    table = pd.DataFrame({"frequency": frequency, "power": power})
    return table.assign(dataset=dataset, autoencoder=autoencoder, role=role)[SPECTRUM]
