"""One pass over a dataset: latents, reconstructions and fidelity of one autoencoder (the step encode_dataset)."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from ..errors import InputError
from ..storage.arrays import PackedFile, open_packed
from ..storage.channel_sums import channel_sums
from ..storage.contracts import (
    FIDELITY,
    digest,
    file_digest,
    read_folds,
    read_json,
    read_samples,
    refuse_damaged,
    write_json,
    write_parquet,
)
from ..storage.partial_arrays import PartialArrays, partial_arrays
from .ahead import encode_ahead
from .fidelity import psnr, ssim
from .interface import Autoencoder, load_autoencoder, scale_input
from .passes import area_average, decode_batch, encode_posterior, to_grey_levels
from .randomness import check_repeats

# Of a batch on a CPU. Its caches bear twice as many, but 64 channels of them are more than jobs.MAPPED bytes.
PIXELS = 16 * 64 * 64
GPU_FACTOR = 16  # on a GPU: four images at the paper's size
# Bytes of a GPU for each four: by estimate four or five times what the published decoders take, because it is shared.
CARD = 20e9
LARGEST = 4  # times four: a decoder's largest tensor then has half of the 2^31 values that can be indexed


def encode_dataset(
    name: str,
    entry: dict,
    dataset: Path,
    folder: Path,
    device: torch.device,
    folds: Path | None = None,
    split: dict | None = None,
    code: str = "",
) -> None:
    """Write latents.npy, channel_sums.npy, reconstructions.npy, fidelity.parquet, autoencoder.json into `folder`.

    Reconstructions are decoded from the latents as stored, clamped and rounded to 8 bits at `image_size`;
    fidelity is measured there, against the image as the autoencoder saw it; then they are area-averaged exactly as
    images_small.npy is. For weights fine-tuned on the training rows of one fold (`folds`, `split`), fidelity is that
    of the fold's test images alone. Without a decoder there are latents, their sums and the card alone. `code` is the
    digest of the code. An encoding goes on where one of the same identity was killed, and ends with the same bytes; on
    a GPU, as long as the memory that other jobs leave suffices for images_a_pass.
    """
    card, images, samples, autoencoder = open_both(name, entry, dataset, device)
    size, small = card["image_size"], card["classifier_size"]
    packed = packed_arrays(folder, autoencoder, size, small)
    batch, ids = images_a_pass(size, device), samples["sample_id"].tolist()
    described = encoding_card(name, entry, card, autoencoder, packed, device)

    def encode(x: torch.Tensor, start: int) -> Passed:
        passed = pass_images(name, autoencoder, scale_input(x, entry), ids[start : start + len(x)])
        print(f"{name}: {start + len(x)} of {len(images)} images", flush=True)
        return passed

    identity = digest([described, entry, batch, device.type, code])
    with partial_arrays(folder, identity, packed | passing_arrays(folder, autoencoder)) as partial:
        if partial.rows:
            print(f"{name}: resumed after {partial.rows} of {len(images)} images", flush=True)
        encode_ahead(partial, images, batch, device, encode, lambda passed: rows_of(passed, small))
        partial.save()
        # Once more, now with the digests of the whole arrays.
        described = encoding_card(name, entry, card, autoencoder, packed, device)
        write_json(described | measured(partial, folder, samples, folds, split), folder / "autoencoder.json")
        partial.commit(packed)  # last, and without need of space: what fails before it keeps all rows


def images_at_once(size: int, device: torch.device) -> int:
    """Images of `size` pixels a side that make a batch."""
    return max(1, PIXELS * (GPU_FACTOR if device.type == "cuda" else 1) // size**2)


def images_a_pass(size: int, device: torch.device) -> int:
    """Images of `size` pixels a side that an encoding passes at once: on a GPU more, by all the memory of the card.

    What other jobs leave of it does not count: a card gives the same bytes each time. The number is a power of two
    there, so that batches that are halved, and go on after a kill, begin at the same images.
    """
    few = images_at_once(size, device)
    if device.type != "cuda":
        return few
    times = min(max(int(torch.cuda.get_device_properties(device).total_memory / CARD), 1), LARGEST)
    return 1 << (few * times).bit_length() - 1


def measured(
    partial: PartialArrays, folder: Path, samples: pd.DataFrame, folds: Path | None, split: dict | None
) -> dict:
    """Write fidelity.parquet where there is a decoder; returns what autoencoder.json says of all images.

    Its `fold` is the one whose training rows the weights were fine-tuned on; None where they serve all folds.
    """
    found = {"posterior_variance": mean_variance(partial.finished("posterior_variance"))}
    if "fidelity" in partial.arrays:
        table = fidelity_table(partial.finished("fidelity"), samples)
        tested = read_folds(folds, samples) == split["fold"] if split else slice(None)
        write_parquet(table[tested], folder / "fidelity.parquet")
        found["digest_fidelity"] = file_digest(folder / "fidelity.parquet")
    return found | {"fold": split["fold"] if split else None}


def open_both(
    name: str, entry: dict, dataset: Path, device: torch.device
) -> tuple[dict, np.memmap, pd.DataFrame, Autoencoder]:
    """What open_dataset gives, and the autoencoder, which must fit the images and repeat itself."""
    card, images, samples = open_dataset(dataset)
    torch.set_float32_matmul_precision("high")  # TF32 where the GPU has it
    autoencoder = load_autoencoder(entry, device)
    check_layout(name, entry, autoencoder, card["image_size"])
    check_repeats(name, entry, autoencoder, images, device)
    return card, images, samples, autoencoder


def open_dataset(dataset: Path) -> tuple[dict, np.memmap, pd.DataFrame]:
    """The card, the images (N, H, W, C) and the samples of a prepared dataset; damaged ones are refused."""
    card = read_json(dataset / "dataset.json")
    for file in ("samples.parquet", "images.npy"):
        refuse_damaged(dataset / file, card)
    return card, open_packed(dataset / "images.npy"), read_samples(dataset / "samples.parquet")


def fidelity_table(measured: np.ndarray, samples: pd.DataFrame) -> pd.DataFrame:
    """What `measured` (n, 2) says of each image: its sample_id, PSNR in dB and SSIM."""
    table = pd.DataFrame(measured, columns=FIDELITY[1:])
    table.insert(0, "sample_id", samples["sample_id"])
    return table


def mean_variance(of_images: np.ndarray) -> list[float] | None:
    """The posterior's variance of each channel, mean over images (n, C); None without a posterior."""
    return None if np.isnan(of_images).any() else of_images.mean(axis=0).tolist()


def packed_arrays(folder: Path, autoencoder: Autoencoder, size: int, small: int) -> dict[str, PackedFile]:
    """The packed arrays that an encoding has, by name: latents, their sums, and with a decoder reconstructions."""
    grid = (autoencoder.channels, size // autoencoder.factor, size // autoencoder.factor)
    packed = {
        "latents": PackedFile(folder / "latents.npy", grid, autoencoder.latent_dtype),
        "channel_sums": PackedFile(folder / "channel_sums.npy", (2, autoencoder.channels), "float64"),
    }
    if autoencoder.decodes:
        packed["reconstructions"] = PackedFile(folder / "reconstructions.npy", (small, small, 3), "uint8")
    return packed


def passing_arrays(folder: Path, autoencoder: Autoencoder) -> dict[str, PackedFile]:
    """What is kept of each image beside the packed arrays, and only for as long as it takes to encode."""
    passing = {"posterior_variance": PackedFile(folder / "posterior_variance.npy", (autoencoder.channels,), "float64")}
    if autoencoder.decodes:
        passing["fidelity"] = PackedFile(folder / "fidelity.npy", (2,), "float64")
    return passing


class Passed(NamedTuple):
    """A batch x (n, 3, H, W) in [-1, 1], its latents as stored, the posterior's variance (n, C), uint8 x_hat if any."""

    x: torch.Tensor
    z: torch.Tensor
    variance: np.ndarray
    x_hat: torch.Tensor | None


@torch.inference_mode()
def pass_images(name: str, autoencoder: Autoencoder, x: torch.Tensor, ids: Sequence[str]) -> Passed:
    """Encode x (n, 3, H, W) in [-1, 1], and decode the latents as they are stored."""
    z, variance = encode_posterior(name, autoencoder, x, ids)
    return Passed(x, z, variance, decode_batch(name, autoencoder, z, ids) if autoencoder.decodes else None)


@torch.inference_mode()
def rows_of(passed: Passed, small: int) -> dict[str, np.ndarray]:
    """Latents, reconstructions and fidelity of a batch, as they are stored."""
    x, z, variance, x_hat = passed
    rows = {"latents": z.cpu().numpy(), "posterior_variance": variance}
    rows["channel_sums"] = channel_sums(rows["latents"])
    if x_hat is not None:
        rows["reconstructions"] = area_average(x_hat, small).permute(0, 2, 3, 1).cpu().numpy()
        seen = to_grey_levels(x)  # the image itself, or with `input: minmax` the scaled one
        rows["fidelity"] = torch.stack([psnr(seen, x_hat), ssim(seen, x_hat)], dim=1).cpu().numpy()
    return rows


def check_layout(name: str, entry: dict, autoencoder: Autoencoder, size: int) -> None:
    """Refuse weights whose latent is not what the config says, and an image that its factor does not divide."""
    for key in ("channels", "factor"):
        if entry[key] != getattr(autoencoder, key):
            raise InputError(
                f"autoencoders.{name}.{key} is {entry[key]}, but the weights have {getattr(autoencoder, key)}"
            )
    if entry.get("decodes", True) != autoencoder.decodes:
        what = "has a decoder; leave out" if autoencoder.decodes else "cannot be decoded; write"
        raise InputError(f"autoencoder {name} {what} autoencoders.{name}.decodes: false")
    if size % autoencoder.factor:
        raise InputError(
            f"image_size {size} is not a multiple of the factor {autoencoder.factor} of autoencoder {name}"
        )


def encoding_card(
    name: str, entry: dict, card: dict, autoencoder: Autoencoder, packed: dict[str, PackedFile], device: torch.device
) -> dict:
    """The content of autoencoder.json: which weights, which layout, which data, in which precision."""
    row = packed["latents"].row_shape  # C, h, w
    precision = entry.get("torch_dtype", "float32")
    return {
        "autoencoder": name,
        "role": entry["role"],
        "dataset": card["dataset"],
        "dataset_digest": card["digest"],
        "class": entry["class"],
        "licence": entry.get("licence", "not stated"),
        "channels": row[0],
        "factor": autoencoder.factor,
        "input": entry.get("input", "fixed"),
        "grid": list(row[1:]),
        "compression": 3 * card["image_size"] ** 2 / math.prod(row),
        "latent_dtype": autoencoder.latent_dtype,
        "pipeline": autoencoder.pipeline,
        "decodes": autoencoder.decodes,
        "stochastic": autoencoder.stochastic,
        "precision": "tf32" if device.type == "cuda" and precision == "float32" else precision,
        **{f"digest_{kind}": array.digest for kind, array in packed.items()},
        "config_digest": None,  # where no config.json is read
    } | autoencoder.provenance
