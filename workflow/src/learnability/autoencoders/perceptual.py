"""LPIPS, the perceptual term of fine-tuning: how far apart two images are in the features of VGG16."""

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from ..contracts import InputError

VGG16_URL = "https://download.pytorch.org/models/vgg16-397923af.pth"  # torchvision's, trained on ImageNet
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
        """The features at each tap, scaled to unit length over channels."""
        x, found = (x - self.shift) / self.scale, []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in TAPS:
                found.append(x / (torch.linalg.vector_norm(x, dim=1, keepdim=True) + 1e-10))
        return found


def load_perceptual() -> LPIPS:
    """LPIPS, frozen, from torchvision's VGG16 in torch's cache and the heads of the package lpips; fetches nothing."""
    if message := missing_perceptual():
        raise InputError(message)
    from torchvision.models.vgg import cfgs, make_layers

    with torch.device("meta"):  # no time for random weights that are replaced at once
        features = make_layers(cfgs["D"])
    path = vgg16_file()
    backbone = {name.removeprefix("features."): tensor for name, tensor in read_tensors(path).items()}
    try:
        wanted = {name: backbone[name] for name in features.state_dict()}
        features.load_state_dict(wanted, assign=True)
    except (KeyError, RuntimeError) as error:
        raise InputError(f"{path}: does not hold torchvision's VGG16 ({error}); {advice()}") from error
    heads = read_tensors(heads_file())
    model = LPIPS(features, [heads[f"lin{i}.model.1.weight"] for i in range(len(TAPS))])
    return model.eval().requires_grad_(False)


def missing_perceptual() -> str | None:
    """Say which file LPIPS lacks and what to do, or return None."""
    if heads_file() is None:
        return "the package lpips is not installed, and the heads of LPIPS are in it: `pip install lpips==0.1.4`"
    if not vgg16_file().is_file():
        return f"{vgg16_file()} is missing, and LPIPS compares features of torchvision's VGG16: {advice()}"
    return None


def advice() -> str:
    return (
        f"fetch it with `curl --create-dirs -o {vgg16_file()} {VGG16_URL}`, or on another machine and copy it there "
        "(TORCH_HOME moves the folder); or set finetune.perceptual to none, which is another recipe"
    )


def vgg16_file() -> Path:
    """Where torchvision keeps the backbone, be it there or not: $TORCH_HOME/hub/checkpoints."""
    return Path(torch.hub.get_dir(), "checkpoints", VGG16_URL.rpartition("/")[2])


def heads_file() -> Path | None:
    """The learned weights of LPIPS in the installed package lpips, which is not imported; None without it."""
    package = find_spec("lpips")
    return Path(package.submodule_search_locations[0], "weights/v0.1/vgg.pth") if package else None


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a .pth file, without running code that a pickle may hold."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged or hostile file provokes
        raise InputError(f"{path}: cannot be read as tensors ({type(error).__name__}); {advice()}") from error
