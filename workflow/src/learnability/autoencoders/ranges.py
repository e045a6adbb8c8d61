"""Measures which range of pixel values an autoencoder takes and which it returns."""

from collections import defaultdict

import numpy as np
import torch

from .fidelity import psnr
from .interface import Autoencoder
from .passes import to_grey_levels
from .randomness import apply

RANGE_GAIN = 3.0  # dB by which another range may win by chance
PLAUSIBLE = 15.0  # dB: no range gives a reconstruction below
SIMPLER = 1.0  # dB by which two wrong ranges must beat a single one to be suspected
MOST = 60.0  # dB that one image counts at most; an error-free one would outweigh all others

# By name: factor and offset from values in that range to grey levels 0..255; and how to get there from ours, and back.
OURS = "[-1, 1]"
RANGES = {OURS: (127.5, 127.5), "[0, 1]": (255.0, 0.0), "[0, 255]": (1.0, 0.0)}
MENDING = {"[0, 1]": ("x / 2 + 0.5", "2 * x - 1"), "[0, 255]": ("127.5 * x + 127.5", "x / 127.5 - 1")}


class RangeTrial:
    """PSNR over several images that are fed in each range of RANGES, with the output read in each."""

    def __init__(self, name: str, autoencoder: Autoencoder):
        self.name, self.autoencoder, self.scores = name, autoencoder, defaultdict(list)

    def add(self, seen: torch.Tensor, sample_id: str) -> None:
        """Try an image (1, 3, H, W) in [-1, 1], as the study feeds it."""
        grey = to_grey_levels(seen)
        for fed, (scale, zero) in RANGES.items():
            x_hat = self.reconstruct(seen if fed == OURS else (grey.float() - zero) / scale, sample_id)
            for read, (scale_read, zero_read) in RANGES.items():
                levels = (x_hat * scale_read + zero_read).clamp(0, 255).round()
                self.scores[fed, read].append(min(psnr(grey, levels).item(), MOST))

    def reconstruct(self, x: torch.Tensor, sample_id: str) -> torch.Tensor:
        """Encode and decode x; NaN if a class refuses a range that is not its own."""
        try:
            z = apply(self.name, self.autoencoder, "encode", x, [sample_id])
            z = z.to(getattr(torch, self.autoencoder.latent_dtype)).float()
            return apply(self.name, self.autoencoder, "decode", z, [sample_id])
        except Exception:  # an own class may raise anything
            return torch.full_like(x, torch.nan)

    def warnings(self) -> list[str]:
        """Warnings about a range of the input or output that looks wrong, each with what to do."""
        means = {key: float(np.mean(scores)) for key, scores in self.scores.items()}
        means = {key: mean for key, mean in means.items() if np.isfinite(mean)}
        ours = means.get((OURS, OURS), 0.0)
        best = max(means.values(), default=0.0)
        if not best > max(ours + RANGE_GAIN, PLAUSIBLE):
            return []
        likely = [key for key, mean in means.items() if mean >= best - SIMPLER]
        fed, read = min(likely, key=lambda key: (sum(side != OURS for side in key), -means[key]))
        found = []
        if fed != OURS:
            found.append(
                f"input range: images in {fed} come back with {means[fed, read]:.1f} dB, in {OURS}, as this study "
                f"feeds them, with {ours:.1f} dB; begin encode with x = {MENDING[fed][0]}"
            )
        if read != OURS:
            found.append(
                f"output range: reconstructions taken as {read} have {means[fed, read]:.1f} dB, as {OURS}, as this "
                f"study takes them, {ours:.1f} dB; end decode with {MENDING[read][1]}"
            )
        return found
