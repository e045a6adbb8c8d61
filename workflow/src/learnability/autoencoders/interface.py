"""Frozen autoencoders behind one interface; a control is an autoencoder too, so nothing treats it specially.

encode(x: (N, 3, H, W) float in [-1, 1]) -> z (N, C, h, w)        decode(z) -> x_hat (N, 3, H, W)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..registry import class_of, load
from ..storage.vouched import RECORDS, refuse_damaged_weights

if TYPE_CHECKING:  # a check of the config must not wait for torch
    import torch


class Autoencoder(Protocol):
    """What every family offers. `z` is raw: the posterior mode, no scaling factor, no normalisation."""

    channels: int  # C of the latent
    factor: int  # H / h
    latent_dtype: str  # how a latent is stored: float16, or uint8 where it holds grey levels
    pipeline: dict  # the units in which a generative pipeline sees the latent (latent_units.py)
    decodes: bool  # without a decoder there is a latent space and nothing else
    stochastic: bool  # draws at random, for each image from a seed of its own (randomness.py)
    provenance: dict  # source, digest of the weights, parameters

    def encode(self, x: torch.Tensor) -> torch.Tensor: ...

    def decode(self, z: torch.Tensor) -> torch.Tensor: ...


def load_autoencoder(entry: dict, device: torch.device) -> Autoencoder:
    """Build the autoencoder of a config entry, in evaluation mode, on `device`.

    `class` is a control, MedVAE, a diffusers class, or `module:Class` of the user's own; a stochastic one is built from
    a seed. Weights that the workflow fetched or fine-tuned must be what their record says.
    """
    for record in (Path(entry["folder"], name) for name in RECORDS if "folder" in entry):
        if record.is_file():
            refuse_damaged_weights(record)
    build, stochastic = load("autoencoders.*.class", class_of(entry)).build, entry.get("stochastic", False)
    if stochastic:
        from .seeds import seeded

        with seeded(0, device):
            autoencoder = build(entry, device)
    else:
        autoencoder = build(entry, device)
    autoencoder.stochastic = stochastic
    return autoencoder


def scale_input(x: torch.Tensor, entry: dict) -> torch.Tensor:
    """uint8 (N, 3, H, W) to what an autoencoder sees, in [-1, 1]: /255, or with `input: minmax` per image and channel.

    Min-max is how MedVAE's own package reads an image; a channel of one value becomes -1.
    """
    x = x.float()
    if entry.get("input", "fixed") == "fixed":
        return x / 127.5 - 1
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)  # (N, 3, 1, 1)
    return (x - low) / (high - low).clamp(min=1) * 2 - 1


def other_weights(card: dict, digests: dict) -> str | None:
    """Which digest differs between an autoencoder.json and `digests` (card_digests), or None."""
    for key, now in digests.items():
        if now and (before := card.get(key)) and before != now:  # cards of earlier versions have no config_digest
            return f"({key} {before[:12]}, now {now[:12]})"
    return None
