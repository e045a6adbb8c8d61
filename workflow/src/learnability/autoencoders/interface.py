"""The interface of frozen autoencoders. A control is an autoencoder too, so no code treats it specially.

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
    """What every family offers. `z` is raw: the posterior mode without scaling factor or normalisation."""

    channels: int  # C of the latent
    factor: int  # H / h
    latent_dtype: str  # of stored latents: float16, or uint8 if they hold grey levels
    pipeline: dict  # the units in which a generative pipeline sees the latent (latent_units.py)
    decodes: bool  # without a decoder there is only a latent space
    stochastic: bool  # draws random numbers, from a seed for each image (randomness.py)
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
    """Scale uint8 (N, 3, H, W) to [-1, 1] for an autoencoder: by 255, or per image and channel (`input: minmax`).

    MedVAE's own package uses min-max; a channel with only one value becomes -1.
    """
    x = x.float()
    if entry.get("input", "fixed") == "fixed":
        return x / 127.5 - 1
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)  # (N, 3, 1, 1)
    return (x - low) / (high - low).clamp(min=1) * 2 - 1


def other_weights(card: dict, digests: dict) -> str | None:
    """Report the digest that differs between an autoencoder.json and `digests` (card_digests), or None."""
    for key, now in digests.items():
        if now and (before := card.get(key)) and before != now:  # a class of the user's own has no config_digest
            return f"({key} {before[:12]}, now {now[:12]})"
    return None
