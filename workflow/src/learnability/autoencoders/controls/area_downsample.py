"""The control that compresses without learning."""

import torch
import torch.nn.functional as F

from ..latent_units import IDENTITY


class AreaDownsample:
    """Compression without learning: the mean of each factor x factor block, decoded by bilinear interpolation.

    It has the grid of a latent and the arrangement of an image, so it shows what the grid and blurring cost.
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


def build(entry: dict, device: torch.device) -> AreaDownsample:
    return AreaDownsample(entry["factor"])
