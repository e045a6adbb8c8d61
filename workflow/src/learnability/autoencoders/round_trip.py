"""A few images through an autoencoder and back: does it reconstruct, and does its latent look as it should?"""

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from .encode import decode_batch, encode_batch, to_grey_levels
from .fidelity import psnr
from .interface import Autoencoder, scale_input
from .lossy import lossy

POOR = 20.0  # dB: below, something is wrong, not merely lossy
RANGE_GAIN = 3.0  # dB that another input range may win by chance
SPREAD = (0.3, 3.0)  # of latents in the units that a diffusion model sees, where the deviation should be near 1


@torch.inference_mode()
def round_trip(autoencoder: Autoencoder, entry: dict, images: np.ndarray, device: torch.device) -> dict:
    """Encode and decode uint8 images (n, H, W, 3), one at a time.

    Returns `psnr` (dB, mean over the images but those that came back `identical`; None without a decoder), `mean`,
    `std` and `rms` of each latent channel, and `warnings`: what looks like a wrong input range, a wrong scale or a dead
    channel.
    """
    latents, scores, unit_scores = [], [], []
    for number, image in enumerate(images):
        x = torch.from_numpy(np.array(image)).to(device).permute(2, 0, 1)[None]  # (1, 3, H, W)
        seen = scale_input(x, entry)
        z = encode_batch(autoencoder, seen, pd.Series([f"number {number}"]))
        latents.append(z.float().cpu())
        if autoencoder.decodes:
            scores.append(psnr(to_grey_levels(seen), decode_batch(autoencoder, z)).item())
            unit_scores.append(psnr_in_unit_range(autoencoder, x))
    z = torch.cat(latents)  # (n, C, h, w)
    found = {
        "psnr": float(lossy(pd.Series(scores)).mean()) if scores else None,
        "identical": int(np.isinf(scores).sum()),
        "mean": z.mean(dim=(0, 2, 3)).tolist(),
        "std": z.std(dim=(0, 2, 3)).tolist(),
        "rms": z.square().mean(dim=(0, 2, 3)).sqrt().tolist(),
    }
    unit = float(lossy(pd.Series(unit_scores)).mean()) if scores else None
    return found | {"warnings": [*range_warnings(found["psnr"], unit), *scale_warnings(autoencoder, z.to(device))]}


def psnr_in_unit_range(autoencoder: Autoencoder, x: torch.Tensor) -> float:
    """PSNR in dB when uint8 x (1, 3, H, W) is fed in [0, 1], as some autoencoders expect, and read so."""
    x_hat = autoencoder.decode(autoencoder.encode(x.float() / 255)).clamp(0, 1) * 255
    return psnr(x, x_hat.round()).item()


def range_warnings(measured: float | None, unit: float | None) -> list[str]:
    """Warn of a poor reconstruction, and of one that is better where images lie in [0, 1]."""
    if measured is None:
        return []
    warnings = [f"poor reconstructions: {measured:.1f} dB"] if measured < POOR else []
    if unit > measured + RANGE_GAIN:
        warnings.append(
            f"input range: images in [0, 1] come back with {unit:.1f} dB, in [-1, 1], as this study feeds them, with "
            f"{measured:.1f} dB"
        )
    return warnings


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
    """Standard deviation of raw latents after the scaling that the model's own configuration states, if it does."""
    model = getattr(autoencoder, "model", None)
    if getattr(autoencoder, "packing", None):
        return z.std().item()  # packed latents are normalised already
    if hasattr(model, "bn"):
        unit = (F.pixel_unshuffle(z, 2) - model.bn.running_mean.view(1, -1, 1, 1)).std(dim=(0, 2, 3))
        return (unit / (model.bn.running_var + model.config.batch_norm_eps).sqrt()).mean().item()
    factor = getattr(getattr(model, "config", None), "scaling_factor", None)
    return z.std().item() * factor if factor else None
