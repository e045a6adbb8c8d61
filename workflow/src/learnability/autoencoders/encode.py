"""One pass over a dataset: latents, reconstructions and fidelity of one autoencoder (the step encode_dataset)."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ..errors import InputError
from ..storage.arrays import PackedFile, as_rgb, open_packed
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
from ..storage.partial_arrays import partial_arrays
from .fidelity import psnr, ssim
from .interface import Autoencoder, load_autoencoder, scale_input
from .randomness import apply, check_repeats

PIXELS = 32 * 64 * 64  # of a batch on a CPU: what its caches bear; larger ones take twice the time
GPU_FACTOR = 8  # on a GPU: four images at the paper's size


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
    """Write latents.npy, reconstructions.npy, fidelity.parquet and autoencoder.json into `folder`.

    Reconstructions are decoded from the latents as stored, clamped and rounded to 8 bits at `image_size`;
    fidelity is measured there, against the image as the autoencoder saw it; then they are area-averaged exactly as
    images_small.npy is. For weights fine-tuned on the training rows of one fold (`folds`, `split`), fidelity is that
    of the fold's test images alone. Without a decoder there are latents and the card alone. `code` is the digest of the
    code. What a killed encoding of the same identity left is gone on with, and leads to the same bytes.
    """
    card, images, samples = open_dataset(dataset)
    torch.set_float32_matmul_precision("high")  # TF32 where the GPU has it
    autoencoder = load_autoencoder(entry, device)
    size, small = card["image_size"], card["classifier_size"]
    check_layout(name, entry, autoencoder, size)
    check_repeats(name, entry, autoencoder, images, device)
    packed = packed_arrays(folder, autoencoder, size, small)
    fidelity = {"fidelity": PackedFile(folder / "fidelity.npy", (2,), "float64")} if autoencoder.decodes else {}
    batch = max(1, PIXELS * (GPU_FACTOR if device.type == "cuda" else 1) // size**2)
    described = encoding_card(name, entry, card, autoencoder, packed, device)
    identity = digest([described, entry, batch, device.type, code])
    with partial_arrays(folder, identity, packed | fidelity) as partial:
        if partial.rows:
            print(f"{name}: resumed after {partial.rows} of {len(images)} images", flush=True)
        for start in range(partial.rows, len(images), batch):
            x = torch.from_numpy(np.array(as_rgb(images[start : start + batch]))).to(device).permute(0, 3, 1, 2)
            x = scale_input(x, entry)  # (n, 3, H, W)
            ids = samples["sample_id"].iloc[start : start + batch].tolist()
            partial.write(encode_rows(name, autoencoder, x, ids, small))
            print(f"{name}: {partial.rows} of {len(images)} images", flush=True)
        partial.save()
        if fidelity:
            measured = fidelity_table(partial.finished("fidelity"), samples)
            tested = read_folds(folds, samples) == split["fold"] if split else slice(None)
            write_parquet(measured[tested], folder / "fidelity.parquet")
        # Once more, now with the digests of the whole arrays.
        described = encoding_card(name, entry, card, autoencoder, packed, device)
        if fidelity:
            described["digest_fidelity"] = file_digest(folder / "fidelity.parquet")
        # The fold whose training rows the weights were fine-tuned on; null where they serve all folds.
        write_json(described | {"fold": split["fold"] if split else None}, folder / "autoencoder.json")
        partial.commit(packed)  # last, and without need of space: what fails before it keeps all rows


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


def packed_arrays(folder: Path, autoencoder: Autoencoder, size: int, small: int) -> dict[str, PackedFile]:
    """The packed arrays that an encoding has, by name: latents, and with a decoder reconstructions."""
    grid = (autoencoder.channels, size // autoencoder.factor, size // autoencoder.factor)
    packed = {"latents": PackedFile(folder / "latents.npy", grid, autoencoder.latent_dtype)}
    if autoencoder.decodes:
        packed["reconstructions"] = PackedFile(folder / "reconstructions.npy", (small, small, 3), "uint8")
    return packed


@torch.inference_mode()
def encode_rows(
    name: str, autoencoder: Autoencoder, x: torch.Tensor, ids: Sequence[str], small: int
) -> dict[str, np.ndarray]:
    """Latents, reconstructions and fidelity of x (n, 3, H, W) in [-1, 1], as they are stored."""
    z = encode_batch(name, autoencoder, x, ids)
    rows = {"latents": z.cpu().numpy()}
    if autoencoder.decodes:
        x_hat = decode_batch(name, autoencoder, z, ids)
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


def encode_batch(
    name: str, autoencoder: Autoencoder, x: torch.Tensor, ids: Sequence[str], seeds: Sequence[str] | None = None
) -> torch.Tensor:
    """Encode x (n, 3, H, W) in [-1, 1] to latents (n, C, h, w) as they are stored.

    A stochastic autoencoder draws for each image by its `seeds` (n), texts; those of a study are its `ids` (n). An
    InputError names the autoencoder `name` and the first of `ids` whose latent cannot be stored.
    """
    z = apply(name, autoencoder, "encode", x, seeds or ids)
    stored = z.to(getattr(torch, autoencoder.latent_dtype))
    finite = torch.isfinite(z).flatten(1).all(1) & torch.isfinite(stored.float()).flatten(1).all(1)
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
    finite = torch.isfinite(x_hat).flatten(1).all(1)
    if not bool(finite.all()):
        raise InputError(
            f"reconstruction of image {first_outside(finite, ids)!r} has NaN or infinity: autoencoder {name} cannot "
            f"decode its latent; {what_to_do(name)}"
        )
    return to_grey_levels(x_hat)


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
    return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def area_average(x: torch.Tensor, size: int) -> torch.Tensor:
    """store.area_average on the device: uint8 (n, C, H, W) to (n, C, size, size), the mean rounded half up."""
    number, channels, height, width = x.shape
    if height % size or width % size:
        raise ValueError(f"images of {height} x {width} pixels cannot be averaged to {size}: not a multiple")
    rows, columns = height // size, width // size
    blocks = x.reshape(number, channels, size, rows, size, columns)
    total = blocks.sum(dim=(3, 5), dtype=torch.int32)  # (n, C, size, size); whole numbers, so exact
    area = rows * columns
    return ((total + area // 2) // area).to(torch.uint8)


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
