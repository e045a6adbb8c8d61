"""LPIPS equals that of its own package; its weights are found and never fetched."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from learnability.autoencoders.finetuning import lpips_heads
from learnability.autoencoders.finetuning.perceptual import load_perceptual
from learnability.errors import InputError
from tests.vgg import write_vgg16

real_heads_file = lpips_heads.heads_file


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """The folder of a VGG16 and of heads, which no test changes."""
    folder = tmp_path_factory.mktemp("written") / "vgg16"
    with pytest.MonkeyPatch.context() as patch:
        write_vgg16(patch, folder)
    return folder


@pytest.fixture
def backbone(monkeypatch, written) -> Path:
    monkeypatch.setattr(lpips_heads, "heads_file", lambda: written / "heads.pth")
    return written / "model.safetensors"


def images(number: int = 2, channels: int = 3) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (number, channels, 64, 64)).astype(np.float32))


@pytest.mark.filterwarnings("ignore::UserWarning:torchvision")
def test_the_distance_and_its_gradient_are_those_of_the_lpips_package(backbone, monkeypatch):
    lpips = pytest.importorskip("lpips")
    monkeypatch.setattr(lpips_heads, "heads_file", real_heads_file)
    theirs = lpips.LPIPS(net="vgg", pnet_rand=True, verbose=False)
    slices = [getattr(theirs.net, f"slice{i}").state_dict() for i in range(1, 6)]
    for weights in slices:
        for name in weights:
            weights[name].copy_(load_file(backbone)[f"features.{name}"])
    x, ours = images(), load_perceptual(backbone)
    pairs = []
    for distance in (theirs, ours):
        x_hat = (x + 0.3 * images().flip(0)).requires_grad_()
        value = distance(x, x_hat).flatten()
        pairs.append((value.detach(), *torch.autograd.grad(value.sum(), x_hat)))
    (expected, expected_gradient), (value, gradient) = pairs
    assert value.shape == (2,)
    assert expected.min() > 0.01
    torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-4, atol=1e-7)


def test_the_distance_by_hand_from_the_features(backbone):
    model, x, x_hat = load_perceptual(backbone), images(), images().flip(0)
    distance = torch.zeros(2)
    for i, (a, b) in enumerate(zip(features(model, x), features(model, x_hat), strict=True)):
        a, b = (f / f.square().sum(1, keepdim=True).sqrt() for f in (a, b))
        distance += ((a - b) ** 2 * getattr(model, f"head{i}")).sum(1).mean((1, 2))
    torch.testing.assert_close(model(x, x_hat), distance, rtol=1e-5, atol=1e-6)
    assert model(x, x).tolist() == [0, 0]


def features(model, x: torch.Tensor) -> list[torch.Tensor]:
    """The output of the convolutions whose rectified features are compared."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])  # ImageNet's, in [0, 1]
    # The package rounds them to 0.030, 0.088, 0.188 and 0.458, 0.448, 0.450 in [-1, 1].
    shift, scale = (2 * mean - 1).mul(1000).round() / 1000, 2 * std
    x, found = (x - shift.view(1, 3, 1, 1)) / scale.view(1, 3, 1, 1), []
    for i, layer in enumerate(model.features):
        x = layer(x)
        if isinstance(layer, torch.nn.ReLU) and i in (3, 8, 15, 22, 29):
            found.append(x)
    assert len(model.features) == 30
    return found


def test_grey_images_are_compared_as_rgb(backbone):
    model, x = load_perceptual(backbone), images(channels=1)
    rgb = x.expand(-1, 3, -1, -1)
    torch.testing.assert_close(model(x, x.flip(0)), model(rgb, rgb.flip(0)))


def test_it_is_frozen(backbone):
    model = load_perceptual(backbone)
    assert not any(weight.requires_grad for weight in model.parameters())
    assert not model.training


def test_the_backbone_has_the_names_that_timm_gives_it():
    import timm
    from torchvision.models.vgg import cfgs, make_layers

    with torch.device("meta"):  # names and shapes alone
        theirs, ours = timm.create_model("vgg16"), make_layers(cfgs["D"])
    names = {name: tensor.shape for name, tensor in theirs.state_dict().items()}
    for name, tensor in ours.state_dict().items():
        assert names[f"features.{name}"] == tensor.shape


def test_a_missing_package_is_named(backbone, monkeypatch):
    monkeypatch.setattr(lpips_heads, "heads_file", real_heads_file)
    monkeypatch.setattr(lpips_heads, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"the package lpips is not installed.*pip install lpips==0\.1\.4"):
        load_perceptual(backbone)


def test_what_is_no_vgg16_is_refused_by_its_file(backbone, tmp_path):
    backbone = Path(shutil.copy(backbone, tmp_path))
    tensors, message = (
        load_file(backbone),
        r"(?s)model\.safetensors: does not hold VGG16 .*; fetch pretrained\.vgg16 again",
    )
    save_file({"features.0.weight": torch.zeros(64, 3, 3, 3)}, backbone)
    with pytest.raises(InputError, match=message):
        load_perceptual(backbone)
    save_file(tensors | {"features.0.weight": torch.zeros(64, 1, 3, 3)}, backbone)
    with pytest.raises(InputError, match=message):
        load_perceptual(backbone)
    backbone.write_bytes(backbone.read_bytes()[:1000])
    with pytest.raises(InputError, match=message):
        load_perceptual(backbone)
    backbone.unlink()
    with pytest.raises(InputError, match=r"model\.safetensors: does not hold VGG16"):
        load_perceptual(backbone)
