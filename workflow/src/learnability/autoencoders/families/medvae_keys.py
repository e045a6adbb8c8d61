"""MedVAE's variants, and the names of its tensors in diffusers' AutoencoderKL; does not import torch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch

Tensors = dict[str, "torch.Tensor"]


class Variant(NamedTuple):
    """A 2-D model that MedVAE publishes: a checkpoint with 128 x [1, 2, 4(, 4)] channels and 2 blocks per level."""

    file: str  # in the hub's folder model_weights
    image_channels: int  # 1 grey, 3 RGB
    channels: int  # C of the latent
    widths: tuple[int, ...]  # channels of each level; the factor is 2^(levels - 1)
    lora: bool  # low-rank updates beside the convolutions of residual and attention blocks

    @property
    def factor(self) -> int:
        return 2 ** (len(self.widths) - 1)


FACTOR_4, FACTOR_8 = (128, 256, 512), (128, 256, 512, 512)
VARIANTS = {
    "medvae_4_1_2d": Variant("vae_4x_1c_2D.ckpt", 1, 1, FACTOR_4, False),
    "medvae_4_3_2d": Variant("vae_4x_3c_2D.ckpt", 3, 3, FACTOR_4, True),
    "medvae_4_4_2d": Variant("vae_4x_4c_2D.ckpt", 3, 4, FACTOR_4, False),
    "medvae_8_1_2d": Variant("vae_8x_1c_2D.ckpt", 1, 1, FACTOR_8, False),
    "medvae_8_4_2d": Variant("vae_8x_4c_2D.ckpt", 3, 4, FACTOR_8, True),
}
FOLDER = "model_weights"  # holds the checkpoints on the hub
STAGE_2 = ("channel_ds.", "channel_proj.")  # trained after the autoencoder; diffusers has no such layers
WITH_LORA = re.compile(r"\.(conv1|conv2|nin_shortcut|q|k|v|proj_out)$")

# diffusers' name -> MedVAE's name, applied in order; decoder levels are numbered in reverse (see below).
RENAMED = [
    (r"\.down_blocks\.(\d+)\.resnets\.", r".down.\1.block."),
    (r"\.down_blocks\.(\d+)\.downsamplers\.0\.", r".down.\1.downsample."),
    (r"\.up_blocks\.(\d+)\.resnets\.", r".up.\1.block."),
    (r"\.up_blocks\.(\d+)\.upsamplers\.0\.", r".up.\1.upsample."),
    (r"\.mid_block\.resnets\.0\.", ".mid.block_1."),
    (r"\.mid_block\.resnets\.1\.", ".mid.block_2."),
    (r"\.mid_block\.attentions\.0\.", ".mid.attn_1."),
    (r"\.group_norm\.", ".norm."),
    (r"\.to_([qkv])\.", r".\1."),
    (r"\.to_out\.0\.", ".proj_out."),
    (r"\.conv_shortcut\.", ".nin_shortcut."),
    (r"\.conv_norm_out\.", ".norm_out."),
]


def medvae_name(name: str, levels: int) -> str:
    """MedVAE's name for a tensor of AutoencoderKL. MedVAE counts decoder levels from the image too."""
    for pattern, replacement in RENAMED:
        name = re.sub(pattern, replacement, name)
    return re.sub(r"\.up\.(\d+)\.", lambda found: f".up.{levels - 1 - int(found[1])}.", name)


def parts_of(name: str, lora: bool) -> list[str]:
    """The checkpoint tensors that make up a tensor: itself, or W, U and D of a layer with LoRA."""
    layer, _, kind = name.rpartition(".")
    if not (lora and WITH_LORA.search(layer)):
        return [name]
    return [f"{layer}.conv.{kind}"] + [f"{layer}.lora_{side}.weight" for side in ("up", "down") if kind == "weight"]


def to_diffusers(tensors: Tensors, wanted: Tensors, variant: Variant) -> tuple[Tensors, str]:
    """Make the tensors of AutoencoderKL that `wanted` names from MedVAE's, in float32 and with LoRA merged.

    Ignores stage-2 layers. Every wanted tensor must be found and none may be left over. The text names mismatches, with
    MedVAE's names; it is "" if there are none.
    """
    remaining = {name: tensor for name, tensor in tensors.items() if not name.startswith(STAGE_2)}
    converted, missing, misshapen = {}, [], []
    for name, target in wanted.items():
        parts = parts_of(medvae_name(name, len(variant.widths)), variant.lora)
        found = {part: remaining.pop(part) for part in parts if part in remaining}
        if len(found) < len(parts):
            missing += [part for part in parts if part not in found]
            continue
        weight = merge(*(tensor.float() for tensor in found.values()))
        # Attention: 1 x 1 convolutions (C, C, 1, 1) become linear layers (C, C).
        if weight is None or weight.shape != target.shape + (1,) * (weight.ndim - target.ndim):
            shapes = " + ".join(f"{part} {tuple(tensor.shape)}" for part, tensor in found.items())
            misshapen.append(f"{shapes}, expected {tuple(target.shape)}")
            continue
        converted[name] = weight.reshape(target.shape).clone()  # a copy, not a view of the mapped file
    problems = {"missing": missing, "of another shape": misshapen, "unknown": list(remaining)}
    text = ", ".join(f"{len(names)} tensors {what} {sorted(names)[:3]}" for what, names in problems.items() if names)
    return converted, text


def merge(
    weight: torch.Tensor, up: torch.Tensor | None = None, down: torch.Tensor | None = None
) -> torch.Tensor | None:
    """W + U D with scale 1: W (out, in, k, k), U (out, r, 1, 1), D (r, in, k, k); None if shapes do not fit."""
    if up is None:
        return weight
    if down.ndim != 4 or up.shape != (*weight.shape[:1], len(down), 1, 1) or down.shape[1:] != weight.shape[1:]:
        return None
    return weight + (up.flatten(1) @ down.flatten(1)).reshape(weight.shape)
