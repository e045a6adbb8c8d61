"""Classifiers take every grid and channel count of the study; augmentation and masking do what their names say."""

import json
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import yaml
from safetensors.torch import load_file, save_file

from learnability.augmentation import augment, mask_elements
from learnability.classifiers.classifier import Classifier, build_classifier, image_moments
from learnability.classifiers.grid import misfit
from learnability.contracts import InputError

CONVNEXT = {"depths": [1, 1, 1, 1], "dims": [8, 16, 32, 64]}
RESNET = {"layers": [1, 1, 1, 1], "channels": [8, 16, 32, 64]}


def described(channels: int, model: str = "convnext_tiny", side: int = 32, **options) -> dict:
    return {
        "model": model,
        "model_options": (CONVNEXT if model == "convnext_tiny" else RESNET) | options,
        "space": "latent",
        "in_channels": channels,
        "grid": [side, side],
        "classes": ["a", "b", "c"],
        "mean": np.linspace(-1, 1, channels).tolist(),
        "std": np.linspace(1, 2, channels).tolist(),
    }


def images(number: int, side: int, channels: int = 3) -> torch.Tensor:
    return torch.rand(number, channels, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("model", ["resnet18", "convnext_tiny"])
def test_every_channel_count_of_the_study_gives_finite_logits_and_a_gradient_at_the_first_layer(model):
    for channels in (1, 3, 4, 16, 32, 192):
        classifier = build_classifier(described(channels, model)).train()
        logits = classifier(images(5, 32, channels) * 9)
        assert logits.shape == (5, 3)
        assert torch.isfinite(logits).all()
        logits.square().sum().backward()
        first = classifier.network.conv1 if model == "resnet18" else classifier.network.stem[0]
        assert first.weight.shape[1] == channels
        assert (first.weight.grad.abs().sum(dim=(0, 2, 3)) > 0).all()  # every channel is read


def test_the_input_is_normalised_inside_with_the_moments_of_each_channel():
    classifier = build_classifier(described(4))
    x = images(6, 32, 4) * 50
    mean, std = (torch.linspace(*ends, 4).view(1, 4, 1, 1) for ends in ((-1, 1), (1, 2)))
    torch.testing.assert_close(classifier.normalise(x), (x - mean) / std)
    assert torch.equal(classifier(x), classifier.network(classifier.normalise(x)))
    assert torch.equal(classifier(x.byte()), classifier(x.byte().float()))  # grey levels, as images are stored


def test_image_moments_are_those_of_imagenet_in_grey_levels():
    mean, std = image_moments()
    np.testing.assert_allclose(mean, [123.675, 116.28, 103.53])
    np.testing.assert_allclose(std, [58.395, 57.12, 57.375])


def test_the_misfit_of_a_stem_agrees_with_what_the_network_does():
    for side, patch in ((7, 1), (8, 1), (8, 2), (8, 4), (16, 1), (16, 2), (16, 4), (31, 2), (32, 2), (31, 4), (32, 4)):
        network = timm.create_model("convnext_tiny", in_chans=4, num_classes=3, patch_size=patch, **CONVNEXT).eval()
        try:
            works = network(images(1, side, 4)).shape == (1, 3)
        except RuntimeError:
            works = False
        assert (misfit("convnext_tiny", {"patch_size": patch}, side) is None) == works, (side, patch)


def test_a_stem_that_does_not_fit_is_refused_with_the_stem_that_would():
    with pytest.raises(InputError, match=r"patch_size 4 does not fit a grid of 8 x 8.*set .*patch_size to 1"):
        build_classifier(described(4, side=8, patch_size=4))
    with pytest.raises(InputError, match="convnext_tiny with patch_size 4 does not fit a grid of 16 x 16"):
        build_classifier(described(4, side=16))  # 4 is the default
    assert build_classifier(described(4, side=8, patch_size=1))(images(2, 8, 4)).shape == (2, 3)
    assert "no stem fits" in misfit("convnext_tiny", {"patch_size": 1}, 4)
    assert misfit("resnet50", {}, 4) is None


def test_model_json_and_weights_are_all_that_is_needed_to_build_the_classifier_again(tmp_path):
    for model in ("resnet18", "convnext_tiny"):
        classifier = build_classifier(described(16, model)).train()
        classifier(images(8, 32, 16))  # moves the running moments of batch norm
        (tmp_path / "model.json").write_text(json.dumps(described(16, model)))
        save_file(classifier.state_dict(), tmp_path / "model.safetensors")
        again = build_classifier(json.loads((tmp_path / "model.json").read_text()))
        again.load_state_dict(load_file(tmp_path / "model.safetensors"))
        x = images(4, 32, 16)
        assert torch.equal(again.eval()(x), classifier.eval()(x))


def pretrained(tmp_path, model: str) -> tuple[dict, dict]:
    """Weights as if trained on RGB images of 1,000 classes, and the file that holds them."""
    network = timm.create_model(model, **(CONVNEXT if model == "convnext_tiny" else RESNET))
    for parameter in network.parameters():
        parameter.data += 0.01  # timm starts biases at zero, where a fresh one could not be told
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    return network.state_dict(), tmp_path / "weights.safetensors"


@pytest.mark.parametrize(
    ("model", "first", "head"), [("resnet18", "conv1", "fc"), ("convnext_tiny", "stem.0", "head.fc")]
)
def test_imagenet_weights_start_a_latent_classifier_except_for_its_first_and_last_layer(tmp_path, model, first, head):
    weights, file = pretrained(tmp_path, model)
    for space, channels in (("latent", 3), ("latent", 16), ("image", 3)):
        built = build_classifier(described(channels, model) | {"space": space}, file)
        fresh = {f"{layer}.{part}" for layer in [head, first][: 1 + (space == "latent")] for part in ("weight", "bias")}
        for key, value in built.network.state_dict().items():
            kept = value.shape == weights[key].shape and torch.equal(value, weights[key])
            assert kept == (key not in fresh), (space, channels, key)


def test_imagenet_weights_that_do_not_fit_the_options_are_refused(tmp_path):
    _, file = pretrained(tmp_path, "convnext_tiny")
    with pytest.raises(InputError, match=r"these weights do not fit convnext_tiny .*init: random"):
        build_classifier(described(4, side=16, patch_size=1), file)


def test_the_paper_starts_from_the_weights_of_torchvision():
    """timm knows the published repositories as the weights of these networks."""
    published = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text(encoding="utf-8"))["pretrained"]
    for model, entry in published.items():
        tag = entry["source"].removeprefix("timm/")
        assert tag.partition(".")[0] == model
        assert timm.get_pretrained_cfg(tag).hf_hub_id == entry["source"]


def test_no_augmentation_is_the_identity():
    x = images(4, 16)
    assert augment(x, [], 15) is x
    assert mask_elements(x, 0) is x


def test_flip_either_mirrors_an_image_or_leaves_it():
    torch.manual_seed(0)
    x = images(200, 16) * 255
    y = augment(x, ["flip"], 15)
    mirrored = (y - x.flip(3)).abs().amax(dim=(1, 2, 3)) < 1e-2
    left = (y - x).abs().amax(dim=(1, 2, 3)) < 1e-2
    assert (mirrored ^ left).all()
    assert 70 < mirrored.sum() < 130


@pytest.mark.parametrize("names", [["rotate"], ["flip", "rotate"]])
def test_rotation_turns_each_image_by_its_own_angle_and_no_further_than_asked(names):
    torch.manual_seed(0)
    side = 65
    x = torch.zeros(100, 1, side, side)
    x[:, :, side // 2 - 1 : side // 2 + 2, side - 8 : side - 5] = 255  # a dot to the right of the centre
    y = augment(x, names, 15)
    mass, axis = y.sum(dim=(1, 2, 3)), torch.arange(side) - side // 2
    across, down = (y.sum(dim=(1, 2)) * axis).sum(1) / mass, (y.sum(dim=(1, 3)) * axis).sum(1) / mass
    assert 0.3 < (across < 0).float().mean() < 0.7 or names == ["rotate"]
    angle = torch.rad2deg(torch.atan2(down, across.abs()))
    assert angle.abs().max() < 15.2
    assert angle.min() < -11
    assert angle.max() > 11
    # Neither stretched nor sheared: the distance from the centre stays, and so does the area.
    np.testing.assert_allclose(torch.hypot(across, down), side // 2 - 6, atol=0.2)
    np.testing.assert_allclose(mass, 9 * 255, rtol=0.02)


def test_rotation_and_flip_together_keep_the_mean_but_for_the_black_corners():
    torch.manual_seed(0)
    x = 100 + 50 * images(64, 32)
    y = augment(x, ["flip", "rotate"], 15)
    assert y.shape == x.shape
    assert y.min() >= 0
    assert 0.9 < (y.mean() / x.mean()).item() < 1
    inner = slice(10, 22)
    assert y[..., inner, inner].mean().item() == pytest.approx(x[..., inner, inner].mean().item(), rel=0.01)


def test_masking_sets_its_share_of_the_elements_to_zero_and_leaves_the_others():
    torch.manual_seed(0)
    x = torch.randn(20, 4, 32, 32) + 7
    y = mask_elements(x, 0.2)
    gone = y == 0
    assert gone.float().mean().item() == pytest.approx(0.2, abs=0.01)
    assert torch.equal(y[~gone], x[~gone])  # not scaled up, unlike dropout
    assert not torch.equal(gone, mask_elements(x, 0.2) == 0)


def test_a_classifier_shows_its_moments_in_its_weights():
    state = Classifier(torch.nn.Flatten(), [1.0, 2.0], [3.0, 4.0]).state_dict()
    assert {key: value.flatten().tolist() for key, value in state.items()} == {"mean": [1, 2], "std": [3, 4]}
