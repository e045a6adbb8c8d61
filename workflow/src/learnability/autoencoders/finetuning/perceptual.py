"""LPIPS, the perceptual term of fine-tuning: how far apart two images are in the features of VGG16."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from ...errors import InputError
from . import lpips_heads

TAPS = (3, 8, 15, 22, 29)  # layers of VGG16 whose output is compared: relu1_2, relu2_2, relu3_3, relu4_3, relu5_3


class LPIPS(nn.Module):
    """Learned perceptual image patch similarity, version 0.1 on VGG16 (Zhang et al. 2018, arXiv 1801.03924).

    (N, C, H, W) twice, C 1 or 3, in [-1, 1] -> distance (N,). Features have unit length at each position; their
    squared differences are weighted by the learned heads, summed over channels and averaged over positions.
    """

    def __init__(self, features: nn.Sequential, heads: list[torch.Tensor]):
        super().__init__()
        self.features = features[: TAPS[-1] + 1]
        # ImageNet's mean and standard deviation, for images in [-1, 1]; grey becomes RGB by broadcasting.
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1))
        for i, head in enumerate(heads):
            self.register_buffer(f"head{i}", head)  # (1, C, 1, 1)

    def forward(self, x: torch.Tensor, x_hat: torch.Tensor) -> torch.Tensor:
        distance = torch.zeros(len(x), device=x.device)
        for i, (a, b) in enumerate(zip(self.directions(x), self.directions(x_hat), strict=True)):
            weighted = (a - b).square() * getattr(self, f"head{i}")  # (N, C, h, w)
            distance = distance + weighted.sum(1).mean((1, 2))
        return distance

    def directions(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The features at each tap, with unit length over channels."""
        x, found = (x - self.shift) / self.scale, []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in TAPS:
                found.append(x / (torch.linalg.vector_norm(x, dim=1, keepdim=True) + 1e-10))
        return found


def load_perceptual(backbone: Path) -> LPIPS:
    """Load LPIPS, frozen, from torchvision's VGG16 in timm's format and the heads of the package lpips."""
    if message := lpips_heads.missing_heads():
        raise InputError(message)
    from torchvision.models.vgg import cfgs, make_layers

    with torch.device("meta"):  # saves the time for random weights, which are replaced at once
        features = make_layers(cfgs["D"])
    try:
        tensors = load_file(backbone)
        wanted = {name: tensors[f"features.{name}"] for name in features.state_dict()}
        features.load_state_dict(wanted, assign=True)
    except (OSError, KeyError, RuntimeError, SafetensorError) as error:
        raise InputError(
            f"{backbone}: does not hold VGG16 with its features in safetensors ({error}); fetch pretrained.vgg16 "
            "again, or set finetune.perceptual to none, which is another recipe"
        ) from error
    learned = torch.load(lpips_heads.heads_file(), map_location="cpu", weights_only=True)
    model = LPIPS(features, [learned[f"lin{i}.model.1.weight"] for i in range(len(TAPS))])
    return model.eval().requires_grad_(False)
