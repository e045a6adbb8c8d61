"""Diffusers folders of a thousandth of the size, with random weights, and a data set to encode."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from learnability.contracts import SAMPLES, write_json, write_parquet
from learnability.store import PackedWriter, area_average, as_rgb

BLOCKS = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (8, 8, 16, 16),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "sample_size": 64,
}
TINY = {
    "encoder_block_out_channels": (8,) * 4,
    "decoder_block_out_channels": (8,) * 4,
    "num_encoder_blocks": (1, 1, 1, 1),
    "num_decoder_blocks": (1, 1, 1, 1),
}
NO_QUANT = {"use_quant_conv": False, "use_post_quant_conv": False}
LEVELS = {"in_channels": 3, "out_channels": 3, "norm_num_groups": 4}
ASYMMETRIC = LEVELS | {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "down_block_out_channels": (8, 8, 16, 16),
    "up_block_out_channels": (8, 8, 16, 16),
}
QUANTISED = LEVELS | {key: BLOCKS[key] for key in ("down_block_types", "up_block_types", "block_out_channels")}
DEEP = {
    "encoder_block_out_channels": (8, 8, 16, 16, 16, 16),
    "decoder_block_out_channels": (8, 8, 16, 16, 16, 16),
    "encoder_layers_per_block": (1,) * 6,
    "decoder_layers_per_block": (1,) * 6,
    "encoder_qkv_multiscales": ((),) * 6,
    "decoder_qkv_multiscales": ((),) * 6,
}
FAMILIES = {  # name: (class, latent channels, arguments)
    "sd": ("AutoencoderKL", 4, BLOCKS | {"scaling_factor": 0.18215}),
    "flux1": ("AutoencoderKL", 16, BLOCKS | NO_QUANT | {"scaling_factor": 0.3611, "shift_factor": 0.1159}),
    "flux2": ("AutoencoderKLFlux2", 32, BLOCKS),
    "tae": ("AutoencoderTiny", 4, TINY),
}
OTHERS = {
    "asymmetric": ("AsymmetricAutoencoderKL", 4, ASYMMETRIC),
    "vq": ("VQModel", 3, QUANTISED | {"num_vq_embeddings": 32}),
    "dc": ("AutoencoderDC", 8, DEEP),
    "grey": ("AutoencoderKL", 4, BLOCKS | {"in_channels": 1, "out_channels": 1}),
}


def build(name: str) -> torch.nn.Module:
    """A random autoencoder of a family, in evaluation mode; the same at every call."""
    import diffusers

    family, channels, arguments = (FAMILIES | OTHERS)[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return getattr(diffusers, family)(latent_channels=channels, **arguments).eval()


def save(name: str, folder: Path) -> dict:
    """Save a random autoencoder as a diffusers folder; returns the config entry that names it."""
    build(name).save_pretrained(folder)
    family, channels, _ = (FAMILIES | OTHERS)[name]
    factor = 32 if name == "dc" else 8
    return {"class": family, "source": str(folder), "channels": channels, "factor": factor, "role": "family"}


def write_dataset(folder: Path, number: int = 5, channels: int = 3, constant: bool = False) -> Path:
    """Images of 64 px, smooth with a little noise (or each of one colour), and what prepare_dataset writes beside."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64] / 64
    waves = np.stack([np.sin(a * x + b * y) for a, b in random.uniform(1, 9, (number * channels, 2))])
    images = 127 + 90 * waves.reshape(number, channels, 64, 64).transpose(0, 2, 3, 1)
    if constant:
        images[:] = images[:, :1, :1]
    images = (images + (not constant) * random.normal(0, 5, images.shape)).clip(0, 255).astype(np.uint8)
    for name, rows in (("images", images), ("images_small", as_rgb(area_average(images, 32)))):
        with PackedWriter(folder / f"{name}.npy", rows.shape[1:], "uint8") as writer:
            writer.write(rows)
    names = [f"image{i}" for i in range(number)]
    samples = pd.DataFrame({"sample_id": names, "label": 0, "label_name": "a", "group": names})
    write_parquet(samples[SAMPLES], folder / "samples.parquet")
    sizes = {"image_size": 64, "classifier_size": 32}
    write_json({"dataset": "waves", "digest": "of images.npy"} | sizes, folder / "dataset.json")
    return folder


def as_input(images: np.ndarray) -> torch.Tensor:
    """uint8 (N, H, W, 3) -> (N, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 127.5 - 1
