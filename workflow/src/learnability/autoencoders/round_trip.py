"""Passes a few images through an autoencoder and back: does it reconstruct, and does its latent look right?"""

import numpy as np
import pandas as pd
import torch

from .fidelity import psnr
from .interface import Autoencoder, scale_input
from .latent_units import states_units, units_on_grid
from .lossy import lossy
from .passes import decode_batch, encode_batch, to_grey_levels
from .ranges import RangeTrial

POOR = 20.0  # dB; below it something is wrong, not merely lossy
SPREAD = (0.3, 3.0)  # of latents in a diffusion model's units, where the deviation should be near 1


@torch.inference_mode()
def round_trip(name: str, autoencoder: Autoencoder, entry: dict, images: np.ndarray, device: torch.device) -> dict:
    """Encode and decode uint8 images (n, H, W, 3), one at a time.

    Returns `psnr` (dB, mean over all images that did not come back `identical`; None without a decoder), `mean`, `std`
    and `rms` of each latent channel, and `warnings` about signs of a wrong pixel range, a wrong scale or a dead
    channel.
    """
    latents, scores, ranges = [], [], RangeTrial(name, autoencoder)
    for number, image in enumerate(images):
        x = torch.from_numpy(np.array(image)).to(device).permute(2, 0, 1)[None]  # (1, 3, H, W)
        seen = scale_input(x, entry)
        z = encode_batch(name, autoencoder, seen, [f"number {number}"])
        latents.append(z.float().cpu())
        if autoencoder.decodes:
            scores.append(psnr(to_grey_levels(seen), decode_batch(name, autoencoder, z, [f"number {number}"])).item())
            ranges.add(seen, f"number {number}")
    z = torch.cat(latents)  # (n, C, h, w)
    found = {
        "psnr": float(lossy(pd.Series(scores)).mean()) if scores else None,
        "identical": int(np.isinf(scores).sum()),
        "mean": z.mean(dim=(0, 2, 3)).tolist(),
        "std": z.std(dim=(0, 2, 3)).tolist(),
        "rms": z.square().mean(dim=(0, 2, 3)).sqrt().tolist(),
    }
    poor = [f"poor reconstructions: {found['psnr']:.1f} dB"] if scores and found["psnr"] < POOR else []
    return found | {"warnings": [*poor, *ranges.warnings(), *scale_warnings(autoencoder, z)]}


def scale_warnings(autoencoder: Autoencoder, z: torch.Tensor) -> list[str]:
    """Warn of channels that never change, and of latents z (n, C, h, w) at another scale than the model states."""
    deviation = z.std(dim=(0, 2, 3))
    dead = torch.nonzero(deviation <= 1e-4 * deviation.max()).flatten().tolist()
    warnings = [f"latent channels {dead} are constant"] if dead else []
    spread = spread_in_model_units(autoencoder, z)
    if spread is not None and not SPREAD[0] < spread < SPREAD[1]:
        warnings.append(
            f"scale: with the model's own scaling the latents have standard deviation {spread:.2f}, and a diffusion "
            "model expects about 1: other weights than their config.json says, or images unlike those it knows"
        )
    return warnings


def spread_in_model_units(autoencoder: Autoencoder, z: torch.Tensor) -> float | None:
    """Standard deviation of raw latents in a pipeline's units, which the study's noise uses too; None without any."""
    if getattr(autoencoder, "packing", None):
        return z.std().item()  # packed latents are already normalised
    if not states_units(getattr(autoencoder, "model", None)):
        return None
    mean, std = (torch.from_numpy(values.copy()).to(z) for values in units_on_grid(autoencoder.pipeline, z.shape[1]))
    side = mean.shape[1]
    rows, columns = (length // side for length in z.shape[2:])  # how often the units repeat on the grid
    whole = z[..., : rows * side, : columns * side]
    return ((whole - mean.repeat(1, rows, columns)) / std.repeat(1, rows, columns)).std().item()
