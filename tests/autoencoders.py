"""Diffusers folders at a thousandth of the real size, with random weights, and a data set to encode."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from learnability.storage.arrays import PackedWriter, area_average, as_rgb, packed_digest
from learnability.storage.contracts import SAMPLES, write_json, write_parquet

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
    """Build a random autoencoder of a family, in evaluation mode; it is the same at every call."""
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
    """Write 64 px images, smooth with a little noise (or of one colour each), and prepare_dataset's other files."""
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
    write_json({"dataset": "waves", "digest": packed_digest(folder / "images.npy")} | sizes, folder / "dataset.json")
    return folder


def as_input(images: np.ndarray) -> torch.Tensor:
    """uint8 (N, H, W, 3) -> (N, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def medvae_layers(levels: int) -> list[tuple[str, str]]:
    """(MedVAE's name, diffusers' name) of every layer with weights, each architecture written out from end to end."""
    inside = [("norm1", "norm1"), ("conv1", "conv1"), ("norm2", "norm2"), ("conv2", "conv2")]
    inside.append(("nin_shortcut", "conv_shortcut"))
    attention = [("norm", "group_norm"), ("q", "to_q"), ("k", "to_k"), ("v", "to_v"), ("proj_out", "to_out.0")]
    blocks, layers = [], [("quant_conv", "quant_conv"), ("post_quant_conv", "post_quant_conv")]
    for side in ("encoder", "decoder"):
        layers += [(f"{side}.{name}", f"{side}.{name}") for name in ("conv_in", "conv_out")]
        layers.append((f"{side}.norm_out", f"{side}.conv_norm_out"))
        layers += [(f"{side}.mid.attn_1.{a}", f"{side}.mid_block.attentions.0.{b}") for a, b in attention]
        blocks += [(f"{side}.mid.block_{i + 1}", f"{side}.mid_block.resnets.{i}") for i in range(2)]
    for level in range(levels):
        turned = levels - 1 - level  # diffusers counts the levels of the decoder from the latent
        blocks += [(f"encoder.down.{level}.block.{i}", f"encoder.down_blocks.{level}.resnets.{i}") for i in range(2)]
        blocks += [(f"decoder.up.{level}.block.{i}", f"decoder.up_blocks.{turned}.resnets.{i}") for i in range(3)]
        if level < levels - 1:
            layers.append((f"encoder.down.{level}.downsample.conv", f"encoder.down_blocks.{level}.downsamplers.0.conv"))
        if level > 0:
            layers.append((f"decoder.up.{level}.upsample.conv", f"decoder.up_blocks.{turned}.upsamplers.0.conv"))
    return layers + [(f"{theirs}.{a}", f"{ours}.{b}") for theirs, ours in blocks for a, b in inside]


def medvae_tensors(model: torch.nn.Module, lora: bool) -> dict[str, torch.Tensor]:
    """The MedVAE checkpoint for the autoencoder `model`; with LoRA, W is the weight less U D."""
    weights, tensors = model.state_dict(), {}
    random = torch.Generator().manual_seed(1)
    for theirs, ours in medvae_layers(len(model.config.block_out_channels)):
        if f"{ours}.weight" not in weights:
            continue  # a shortcut exists only where the width changes
        weight, last = weights[f"{ours}.weight"], theirs.split(".")[-1]
        if ".to_" in ours:
            weight = weight[:, :, None, None]
        wrapped = lora and (last in ("conv1", "conv2", "nin_shortcut", "q", "k", "v", "proj_out"))
        if wrapped:
            up, down = (torch.randn(size, 4, generator=random) / 4 for size in (len(weight), weight[0].numel()))
            tensors[f"{theirs}.lora_up.weight"] = up[:, :, None, None]
            tensors[f"{theirs}.lora_down.weight"] = down.T.reshape(4, *weight.shape[1:]).contiguous()
            weight, theirs = weight - torch.einsum("or,nr->on", up, down).reshape(weight.shape), f"{theirs}.conv"
        tensors |= {f"{theirs}.weight": weight, f"{theirs}.bias": weights[f"{ours}.bias"]}
    channels = model.config.latent_channels
    stage_2 = {"channel_ds.0": (64, channels, 1), "channel_ds.2": (64, 64, 3), "channel_ds.4": (channels, 64, 1)}
    for name, (out, into, side) in (stage_2 | {"channel_proj": (channels, channels, 1)}).items():
        tensors[f"{name}.weight"] = torch.randn(out, into, side, side, generator=random) / 4
        tensors[f"{name}.bias"] = torch.randn(out, generator=random) / 4
    return tensors
