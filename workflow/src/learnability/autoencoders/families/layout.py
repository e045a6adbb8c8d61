"""The layout of a latent, measured: no two classes name it alike in their configuration."""

from collections.abc import Callable

import torch

from ...errors import InputError


def measure_layout(encode: Callable, factor: int, device: torch.device) -> tuple[int, int]:
    """Encode one small grey image and return (channels, factor) of what comes out."""
    side = max(64, 2 * factor)
    with torch.inference_mode():
        z = encode(torch.zeros(1, 3, side, side, device=device))
    if not isinstance(z, torch.Tensor) or z.ndim != 4:
        found = f"a tensor of shape {tuple(z.shape)}" if isinstance(z, torch.Tensor) else type(z).__name__
        raise InputError(f"encode returned {found}; expected a latent (N, C, h, w) of images (N, 3, H, W)")
    return z.shape[1], side // z.shape[2]
