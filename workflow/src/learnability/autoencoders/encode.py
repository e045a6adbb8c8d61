"""One pass over a dataset: latents, reconstructions and fidelity of one autoencoder (the step encode_dataset)."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ..contracts import FIDELITY, InputError, read_folds, read_json, read_samples, write_json, write_parquet
from ..fidelity import psnr, ssim
from ..store import PackedWriter, area_average, as_rgb, open_packed
from . import Autoencoder, load_autoencoder

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
) -> None:
    """Write latents.npy, reconstructions.npy, fidelity.parquet and autoencoder.json into `folder`.

    Reconstructions are decoded from the latents as stored, clamped and rounded to 8 bits at `image_size`;
    fidelity is measured there; then they are area-averaged exactly as images_small.npy is. For weights fine-tuned on
    the training rows of one fold (`folds`, `split`), fidelity is that of the fold's test images alone.
    """
    card, samples = read_json(dataset / "dataset.json"), read_samples(dataset / "samples.parquet")
    images = open_packed(dataset / "images.npy")
    torch.set_float32_matmul_precision("high")  # TF32 where the GPU has it
    autoencoder = load_autoencoder(entry, device)
    size, small = card["image_size"], card["classifier_size"]
    check_layout(name, entry, autoencoder, size)
    grid = (autoencoder.channels, size // autoencoder.factor, size // autoencoder.factor)
    latents = PackedWriter(folder / "latents.npy", grid, autoencoder.latent_dtype)
    reconstructions = PackedWriter(folder / "reconstructions.npy", (small, small, 3), "uint8")
    scores, batch = [], max(1, PIXELS * (GPU_FACTOR if device.type == "cuda" else 1) // size**2)
    with latents, reconstructions, torch.inference_mode():
        for start in range(0, len(images), batch):
            x = torch.from_numpy(np.array(as_rgb(images[start : start + batch]))).to(device).permute(0, 3, 1, 2)
            z, x_hat = encode_batch(autoencoder, x, samples["sample_id"].iloc[start : start + batch])
            latents.write(z)
            reconstructions.write(area_average(x_hat.permute(0, 2, 3, 1).cpu().numpy(), small))
            scores.append(torch.stack([psnr(x, x_hat), ssim(x, x_hat)], dim=1).cpu().numpy())
            print(f"{name}: {latents.rows} of {len(images)} images", flush=True)
    fidelity = pd.DataFrame(np.concatenate(scores), columns=FIDELITY[1:])
    fidelity.insert(0, "sample_id", samples["sample_id"])
    fold = split["fold"] if split else None
    tested = read_folds(folds, samples) == fold if split else slice(None)
    write_parquet(fidelity[tested], folder / "fidelity.parquet")
    write_card(name, entry, card, autoencoder, latents, reconstructions, folder, device, fold)


def check_layout(name: str, entry: dict, autoencoder: Autoencoder, size: int) -> None:
    """Refuse weights whose latent is not what the config says, and an image that its factor does not divide."""
    for key in ("channels", "factor"):
        if entry[key] != getattr(autoencoder, key):
            raise InputError(
                f"autoencoders.{name}.{key} is {entry[key]}, but the weights have {getattr(autoencoder, key)}"
            )
    if size % autoencoder.factor:
        raise InputError(
            f"image_size {size} is not a multiple of the factor {autoencoder.factor} of autoencoder {name}"
        )


def encode_batch(autoencoder: Autoencoder, x: torch.Tensor, ids: pd.Series) -> tuple[np.ndarray, torch.Tensor]:
    """Encode and decode uint8 x (n, 3, H, W): the latents as they are stored, and x_hat as uint8."""
    z = autoencoder.encode(x.float() / 127.5 - 1)  # (n, C, h, w)
    stored = z.to(getattr(torch, autoencoder.latent_dtype))
    finite = torch.isfinite(z).flatten(1).all(1) & torch.isfinite(stored.float()).flatten(1).all(1)
    if not bool(finite.all()):
        first = ids.iloc[int(torch.nonzero(~finite)[0])]
        raise InputError(
            f"latent of image {first!r} has NaN, infinity or values beyond {autoencoder.latent_dtype}; "
            "check that the weights belong to this class and that the input is an 8-bit image"
        )
    x_hat = autoencoder.decode(stored.float())
    x_hat = ((x_hat.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return stored.cpu().numpy(), x_hat


def write_card(
    name: str,
    entry: dict,
    card: dict,
    autoencoder: Autoencoder,
    latents: PackedWriter,
    reconstructions: PackedWriter,
    folder: Path,
    device: torch.device,
    fold: int | None,
) -> None:
    """Describe the encoding: which weights, which layout, which data, in which precision."""
    channels, height, width = latents.row_shape
    content = {
        "autoencoder": name,
        "role": entry["role"],
        "fold": fold,  # whose training rows the weights were fine-tuned on; null: they serve all folds
        "dataset": card["dataset"],
        "dataset_digest": card["digest"],
        "class": entry["class"],
        "licence": entry.get("licence", "not stated"),
        "channels": channels,
        "factor": autoencoder.factor,
        "grid": [height, width],
        "compression": 3 * card["image_size"] ** 2 / math.prod(latents.row_shape),
        "latent_dtype": autoencoder.latent_dtype,
        "precision": "tf32" if device.type == "cuda" else "float32",
        "digest_latents": latents.digest,
        "digest_reconstructions": reconstructions.digest,
    }
    write_json(content | autoencoder.provenance, folder / "autoencoder.json")
