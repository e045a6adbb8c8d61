"""The control that loses nothing."""

import torch
import torch.nn.functional as F

from ..latent_units import IDENTITY


class PixelUnshuffle:
    """Lossless: each factor x factor block of pixels becomes the channels of one position.

    The latent holds grey levels 0..255, so it is stored as uint8 and decoded without any loss. A classifier
    on it sees the image on the grid of a latent; what it loses against image space is not due to encoding.
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


def build(entry: dict, device: torch.device) -> PixelUnshuffle:
    return PixelUnshuffle(entry["factor"])
