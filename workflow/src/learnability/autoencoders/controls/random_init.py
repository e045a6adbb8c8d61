"""The control that was never trained."""

import torch

from ...errors import InputError
from ...storage.contracts import digest
from ..latent_units import IDENTITY

WIDTHS = [128, 256, 512, 512]  # of the encoders of SD 1.4 and FLUX, from fine to coarse


class RandomInit:
    """An encoder that was never trained: the floor, because its code keeps only what chance keeps. Latent space only.

    The encoder of a diffusers AutoencoderKL of the given latent layout; `options` change its architecture.
    """

    latent_dtype, decodes, pipeline = "float16", False, IDENTITY

    def __init__(self, channels: int, factor: int, options: dict, device: torch.device):
        import diffusers

        levels = factor.bit_length()  # four levels have three halvings between them: factor 8
        settings = {
            "latent_channels": channels,
            "block_out_channels": WIDTHS[:levels],
            "layers_per_block": 2,
            "seed": 0,
        } | options
        if len(settings["block_out_channels"]) != levels:
            raise InputError(
                f"random_init has {len(settings['block_out_channels'])} widths and factor {factor} takes {levels}; "
                "name so many in options.block_out_channels, or take another factor"
            )
        arguments = {key: value for key, value in settings.items() if key != "seed"} | {
            "down_block_types": ["DownEncoderBlock2D"] * levels,
            "up_block_types": ["UpDecoderBlock2D"] * levels,
        }
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings["seed"])
            model = diffusers.AutoencoderKL(**arguments)
        self.model = model.eval().requires_grad_(False).to(device)
        self.channels, self.factor = channels, factor
        self.provenance = {
            "source": "random weights, never trained",
            "weights_digest": digest(settings),
            "parameters": sum(parameter.numel() for parameter in model.encoder.parameters()),
        }

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, C, H / f, W / f): the posterior mode."""
        return self.model.encode(x).latent_dist.mode()


def build(entry: dict, device: torch.device) -> RandomInit:
    return RandomInit(entry["channels"], entry["factor"], entry.get("options", {}), device)
