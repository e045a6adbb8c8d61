"""Controls: codes that no one learned, on the same grid as the latents of the families."""

import torch
import torch.nn.functional as F

from ..contracts import digest
from ..latent_units import IDENTITY

WIDTHS = [128, 256, 512, 512]  # of the encoders of SD 1.4 and FLUX, from fine to coarse


class PixelUnshuffle:
    """Lossless: each factor x factor block of pixels becomes the channels of one position.

    The latent holds grey levels 0..255, so it is stored as uint8 and decoded without any loss. A classifier
    on it sees the image on the grid of a latent: what it loses against image space is not the encoding's fault.
    """

    latent_dtype, decodes, pipeline = "uint8", True, IDENTITY

    def __init__(self, factor: int):
        self.factor, self.channels = factor, 3 * factor * factor
        self.provenance = {"source": "lossless rearrangement of pixels", "weights_digest": None, "parameters": 0}

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, 3 f f, H / f, W / f) in 0..255."""
        return F.pixel_unshuffle((x + 1) * 127.5, self.factor).round()

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return F.pixel_shuffle(z, self.factor) / 127.5 - 1


class AreaDownsample:
    """Compression that nobody learned: the mean of each factor x factor block, decoded by bilinear interpolation.

    On the grid of a latent, with the arrangement of an image: what the grid alone costs, and what blurring costs.
    """

    latent_dtype, decodes, channels, pipeline = "uint8", True, 3, IDENTITY

    def __init__(self, factor: int):
        self.factor = factor
        self.provenance = {"source": "mean of blocks of pixels", "weights_digest": None, "parameters": 0}

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, 3, H / f, W / f) in 0..255."""
        return F.avg_pool2d((x + 1) * 127.5, self.factor).round()

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return F.interpolate(z, scale_factor=self.factor, mode="bilinear") / 127.5 - 1


class RandomInit:
    """An encoder that was never trained: the floor, because its code keeps what chance keeps. Latent space only.

    The encoder of a diffusers AutoencoderKL of the given latent layout; `options` change its architecture.
    """

    latent_dtype, decodes, pipeline = "float16", False, IDENTITY

    def __init__(self, channels: int, factor: int, options: dict, device: torch.device):
        import diffusers

        levels = factor.bit_length()  # factor 8 is reached by three halvings, between four levels
        settings = {
            "latent_channels": channels,
            "block_out_channels": WIDTHS[:levels],
            "layers_per_block": 2,
            "seed": 0,
        } | options
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
