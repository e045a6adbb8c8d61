"""A VGG16 with random weights in torch's cache, and heads for LPIPS beside it: no test needs the real half gigabyte."""

from pathlib import Path

import torch

from learnability.autoencoders import perceptual


def write_vgg16(monkeypatch, folder: Path) -> dict[str, torch.Tensor]:
    """Let `folder` be torch's cache, with a random backbone and random heads in it; returns the backbone."""
    from torchvision.models.vgg import cfgs, make_layers

    monkeypatch.setenv("TORCH_HOME", str(folder))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        features = make_layers(cfgs["D"])
        for module in features:
            if isinstance(module, torch.nn.Conv2d):  # such that features keep their size from layer to layer
                torch.nn.init.kaiming_normal_(module.weight)
                torch.nn.init.uniform_(module.bias, -0.1, 0.1)
        heads = {f"lin{i}.model.1.weight": torch.rand(1, c, 1, 1) for i, c in enumerate((64, 128, 256, 512, 512))}
    backbone = {f"features.{name}": tensor for name, tensor in features.state_dict().items()}
    perceptual.vgg16_file().parent.mkdir(parents=True)
    torch.save(backbone | {"classifier.6.bias": torch.zeros(1000)}, perceptual.vgg16_file())
    torch.save(heads, folder / "heads.pth")
    monkeypatch.setattr(perceptual, "heads_file", lambda: folder / "heads.pth")
    return backbone
