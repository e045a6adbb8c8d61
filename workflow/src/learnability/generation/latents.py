"""Reads generated latents from a .npy or .safetensors file, as the raw ones that a classifier takes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from ..autoencoders.latent_units import units_on_grid
from ..errors import InputError
from ..storage.contracts import read_json
from .conversion import to_raw


def latent_batches(path: Path, description: dict, units: Path | None, size: int) -> tuple[list[str], Iterator]:
    """Names "0", "1", ... and (first row, raw latents) of the batches of an array."""
    if description["space"] != "latent":
        raise InputError(f"{path}: this classifier sees images ({description['space']} space); give decoded images")
    array, channels = read_latents(path), description["in_channels"]
    pipeline = read_units(units, channels) if units else None
    if not pipeline:
        check_shape(path, array.shape, description)

    def batches() -> Iterator:
        for start in range(0, len(array), size):
            z = array[start : start + size]
            # In float32, as classified: torch knows no foreign byte order and no long double, NumPy no bfloat16.
            z = torch.from_numpy(np.array(z, np.float32)) if isinstance(z, np.ndarray) else z
            if pipeline:
                z = to_raw(z.float(), pipeline, channels)
                check_shape(path, (len(array), *z.shape[1:]), description)
            yield start, z

    return [str(i) for i in range(len(array))], batches()


def read_units(card: Path, channels: int) -> dict:
    """The `pipeline` of an autoencoder.json, for a raw latent of C channels."""
    found = read_json(card) if card.is_file() else {}
    if "pipeline" not in found:
        problem = "no `pipeline` in it" if card.is_file() else "does not exist"
        raise InputError(
            f"{card}{':' if card.is_file() else ''} {problem}; expected the autoencoder.json of the encoding that the "
            "classifier was trained on"
        )
    units_on_grid(found["pipeline"], channels)  # raises before the first batch
    return found["pipeline"]


def read_latents(path: Path) -> np.ndarray | torch.Tensor:
    """The array of a .npy file, mapped, or the one tensor of a .safetensors file; at least one row of numbers."""
    if not path.is_file():
        raise InputError(f"{path} does not exist; give the file of the generated latents")
    try:
        if path.suffix == ".npy":
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            numbers = array.dtype.kind in "fiu"
        else:
            from safetensors.torch import load_file

            tensors = load_file(path)
            if len(tensors) != 1:
                raise InputError(f"{path}: {len(tensors)} tensors, {sorted(tensors)}; save the latents alone")
            array = next(iter(tensors.values()))
            numbers = array.dtype not in (torch.bool, torch.complex64, torch.complex128)
    except InputError:
        raise
    except Exception as error:  # a damaged file may raise anything
        raise InputError(f"{path}: cannot be read as an array of numbers: {error}; write it again") from error
    if not numbers or array.ndim not in (3, 4) or not len(array):
        raise InputError(
            f"{path}: {array.dtype} {tuple(array.shape)}; expected numbers (N, C, h, w), at least one latent"
        )
    return array


def check_shape(path: Path, shape: tuple[int, ...], description: dict) -> None:
    """Refuse latents whose channels or grid differ from those that the classifier was trained on."""
    expected = (description["in_channels"], *description["grid"])
    if tuple(shape[1:]) != expected:
        raise InputError(
            f"{path}: latents {' x '.join(map(str, shape[1:]))}, but this classifier was trained on "
            f"{' x '.join(map(str, expected))} ({description['autoencoder']}); generate at its size, or, where they "
            "are packed or normalised by a pipeline, say in whose units with --pipeline-units"
        )
