"""What is known of an autoencoder's network from its configuration, with or without weights; does not import torch."""

from ...storage.contracts import read_json
from ...study.sources import is_folder
from .diffusers_weights import missing_weights, weight_files
from .folders import base_folder
from .medvae_keys import VARIANTS

# From config.json in the hub's repositories: the published study's autoencoders, before their weights are fetched.
KL = {
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 2,
    "norm_num_groups": 32,
}
ON_THE_HUB = {
    "CompVis/stable-diffusion-v1-4": KL | {"latent_channels": 4},
    "black-forest-labs/FLUX.1-dev": KL | {"latent_channels": 16, "use_quant_conv": False, "use_post_quant_conv": False},
    "black-forest-labs/FLUX.2-dev": KL | {"latent_channels": 32},
}


def configuration(entry: dict) -> dict | None:
    """The config.json of an entry in diffusers format, from the folder of its weights or the hub's; None if unknown."""
    source = entry.get("source", "")
    if ("folder" in entry or is_folder(source)) and not missing_weights(entry):
        return read_json(base_folder(entry) / weight_files(entry)[0])
    return ON_THE_HUB.get(source)


def shapes_of_blocks(entry: dict, side: int) -> dict[str, tuple[int, int, int]] | None:
    """C, H, W after each block of the decoder (decoder_blocks.py) for an image side x side; None if unknown.

    `entry` is of a class of WITH_BLOCKS.
    """
    if entry["class"] == "MedVAE":
        variant = VARIANTS[entry["variant"]]
        known = {"block_out_channels": variant.widths, "out_channels": variant.image_channels}
    else:
        known = configuration(entry) or {}
    is_tiny = entry["class"] == "AutoencoderTiny"
    widths = known.get("decoder_block_out_channels") or known.get("block_out_channels")
    if not widths:
        return None
    widths = widths if is_tiny else widths[::-1]
    sides = [side >> level for level in reversed(range(len(widths)))]
    levels = [(width, there, there) for width, there in zip(widths, sides, strict=True)]
    if is_tiny:  # up_k begins with its upsampling, the up blocks of the others end with it
        ups = levels[1:]
    else:
        ups = [(width, there, there) for width, there in zip(widths, [*sides[1:], side], strict=True)]
    named = {f"up_{k}": shape for k, shape in enumerate(ups, 1)}
    return {"conv_in": levels[0], "mid": levels[0], **named, "all": (known.get("out_channels", 3), side, side)}
