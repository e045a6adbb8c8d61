"""Random augmentation of a batch on its device; randomness from torch's global generator, seeded per epoch."""

import math

import torch
import torch.nn.functional as F


def augment(x: torch.Tensor, names: list[str], degrees: float) -> torch.Tensor:
    """Random horizontal flip and rotation by up to ±`degrees` of each image; float (N, C, H, W), black outside.

    Both in one resampling. The paper uses them in image and reconstruction space (docs/protocol.md).
    """
    number = len(x)
    flip = torch.ones(number, device=x.device)
    angle = torch.zeros(number, device=x.device)
    if "flip" in names:
        flip = torch.where(torch.rand(number, device=x.device) < 0.5, -1.0, 1.0)
    if "rotate" in names:
        angle = (torch.rand(number, device=x.device) * 2 - 1) * math.radians(degrees)
    cosine, sine, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    theta = torch.stack([flip * cosine, -sine, zero, flip * sine, cosine, zero], dim=1).view(number, 2, 3)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
