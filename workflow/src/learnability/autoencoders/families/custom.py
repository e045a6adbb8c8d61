"""A user's own autoencoder: any importable class with `encode` and, if it can decode, `decode`."""

import torch

from ...study.sources import shown_source
from ..latent_units import IDENTITY
from .folders import local_folder
from .layout import measure_layout
from .own_class import card_digests, load_class


class CustomAutoencoder:
    """An object of the class that the config names as `module:Class`.

    It is called as Class(**options), or as Class(folder, **options) if the entry has a `source`. encode takes
    (N, 3, H, W) float32 in [-1, 1] and returns (N, C, h, w); decode takes that back. A torch module is put in
    evaluation mode on the device; anything else chooses its own device.
    """

    latent_dtype, pipeline = "float16", IDENTITY

    def __init__(self, entry: dict, device: torch.device):
        folder = [local_folder(entry["source"])] if "source" in entry else []
        model = load_class(entry["class"])(*folder, **entry.get("options", {}))
        if isinstance(model, torch.nn.Module):
            model = model.eval().requires_grad_(False).to(device)
        self.model, self.decodes = model, hasattr(model, "decode")
        self.channels, self.factor = measure_layout(model.encode, entry["factor"], device)
        self.provenance = {
            "source": shown_source(entry.get("source", entry["class"])),
            **card_digests(entry),
            "parameters": sum(parameter.numel() for parameter in getattr(model, "parameters", list)()),
        }

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return self.model.encode(x)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return self.model.decode(z)


def build(entry: dict, device: torch.device) -> CustomAutoencoder:
    return CustomAutoencoder(entry, device)
