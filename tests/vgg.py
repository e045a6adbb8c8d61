"""A VGG16 with random weights in timm's format, and heads for LPIPS, so that no test needs the real half gigabyte."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from learnability.autoencoders.finetuning import lpips_heads


def write_vgg16(monkeypatch, folder: Path) -> Path:
    """Write model.safetensors with a random backbone, put random heads in place of the package's; return the file."""
    from torchvision.models.vgg import cfgs, make_layers

    folder.mkdir(parents=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        features = make_layers(cfgs["D"])
        for module in features:
            if isinstance(module, torch.nn.Conv2d):  # scaled so that features keep their size from layer to layer
                torch.nn.init.kaiming_normal_(module.weight)
                torch.nn.init.uniform_(module.bias, -0.1, 0.1)
        heads = {f"lin{i}.model.1.weight": torch.rand(1, c, 1, 1) for i, c in enumerate((64, 128, 256, 512, 512))}
    backbone = {f"features.{name}": tensor for name, tensor in features.state_dict().items()}
    save_file(backbone | {"head.fc.bias": torch.zeros(1000)}, folder / "model.safetensors")
    torch.save(heads, folder / "heads.pth")
    monkeypatch.setattr(lpips_heads, "heads_file", lambda: folder / "heads.pth")
    return folder / "model.safetensors"
