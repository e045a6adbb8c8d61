"""Measures the layout of a latent, because every class names it differently in its configuration."""

from collections.abc import Callable

import torch

from ...errors import InputError


def measure_layout(encode: Callable, factor: int, device: torch.device) -> tuple[int, int]:
    """Encode a small grey image and return (channels, factor); refuse a result that is no square latent.

    Errors of `encode` get a note that says what it was given.
    """
    side = max(64, 2 * factor)
    try:
        with torch.inference_mode():
            z = encode(torch.zeros(1, 3, side, side, device=device))
    except Exception as error:
        error.add_note(f"[encode was given a grey image 1 x 3 x {side} x {side}, of which its latent is measured]")
        raise
    if not isinstance(z, torch.Tensor) or z.ndim != 4 or not z.numel() or z.shape[2] != z.shape[3]:
        found = f"a tensor of shape {tuple(z.shape)}" if isinstance(z, torch.Tensor) else type(z).__name__
        raise InputError(
            f"encode returned {found} of a grey image 1 x 3 x {side} x {side}; expected a square latent (N, C, h, h) "
            "of square images (N, 3, H, H)"
        )
    return z.shape[1], side // z.shape[2]
