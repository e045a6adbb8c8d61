"""Classifiers take every grid and channel count of the study; augmentation and masking do what their names say."""

import socket
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
import yaml
from safetensors.torch import save_file

from learnability.classifiers.classifier import Classifier, build_classifier, image_moments
from learnability.classifiers.heads.cosine import CosineHead
from learnability.errors import InputError
from learnability.study.grid import misfit
from learnability.study.options import check_options
from learnability.training.augmentation import augment
from learnability.training.masking import mask_elements
from tests.networks import CONVNEXT, GRID, RESNET, described, images


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
        assert (misfit("convnext_tiny", patch, {}, side) is None) == works, (side, patch)


def test_a_stem_that_does_not_fit_is_refused_with_the_stem_that_would():
    with pytest.raises(InputError, match=r"stem_patch 4 does not fit a grid of 8 x 8.*set stem_patch to 1"):
        build_classifier(described(4, side=8, stem_patch=4))
    with pytest.raises(InputError, match="convnext_tiny with stem_patch 4 does not fit a grid of 16 x 16"):
        build_classifier(described(4, side=16))  # 4 is the default
    assert build_classifier(described(4, side=8, stem_patch=1))(images(2, 8, 4)).shape == (2, 3)
    assert "no stem fits" in misfit("convnext_tiny", 1, {}, 4)
    assert misfit("resnet50", None, {}, 4) is None
    with pytest.raises(InputError, match="stem_patch is for a ConvNeXt, and resnet18 is none; set it to null"):
        build_classifier(described(4, "resnet18", stem_patch=2))
    with pytest.raises(InputError, match="patch_size is not read; set `stem_patch`"):
        build_classifier(described(4, options={"patch_size": 1}))


@pytest.mark.parametrize(
    ("patch", "stem", "stages"),
    [(4, 16, (16, 8, 4, 2)), (2, 32, (16, 8, 4, 2)), (1, 64, (64, 32, 16, 8)), (None, 16, (16, 8, 4, 2))],
)
def test_a_stem_divides_the_grid_by_its_patch_and_each_stage_by_two(patch, stem, stages):
    network = build_classifier(described(4, side=64, stem_patch=patch)).network
    x = network.stem(images(1, 64, 4))
    assert x.shape[2:] == (stem, stem)
    for stage, side in zip(network.stages, stages, strict=True):
        x = stage(x)
        assert x.shape[2:] == (side, side)


@pytest.mark.parametrize("model", ["resnet18", "convnext_tiny"])
def test_a_cosine_head_gives_the_cosine_of_feature_and_class(model):
    classifier = build_classifier(described(4, model, head="cosine")).eval()
    network, x = classifier.network, images(5, 32, 4) * 9
    feature = network.forward_head(network.forward_features(classifier.normalise(x)), pre_logits=True)  # (N, D)
    head = network.get_classifier()
    expected = F.cosine_similarity(feature[:, None], head.weight[None], dim=2)
    torch.testing.assert_close(classifier(x), expected)
    assert [key for key, _ in head.named_parameters()] == ["weight"]  # no bias
    torch.testing.assert_close(head.weight.norm(dim=1), torch.ones(3))
    head.weight.data *= 7  # the length of a class vector says nothing
    torch.testing.assert_close(classifier(x), expected)


def test_a_cosine_head_computes_in_float32_under_autocast():
    head, x = CosineHead(64, 3), torch.randn(5, 64)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(head(x), head(x.double().float()))
        assert head(x.bfloat16()).dtype == torch.float32


def test_options_that_a_network_cannot_have_are_refused():
    with pytest.raises(InputError, match=r"recipes.\*.head is 'arc'; expected linear or cosine"):
        build_classifier(described(4, head="arc"))
    with pytest.raises(InputError, match=r"recipes.\*.head: levit_128s does not end in a linear layer; set"):
        build_classifier(described(3, "levit_128s", side=224, model_options={}, head="cosine"))
    with pytest.raises(InputError, match=r"recipes.\*.model_options .*not options of convnext_tiny .*'wings'"):
        build_classifier(described(4, options={"wings": 2}))
    with pytest.raises(InputError, match=r"recipes.\*.noise: noise is added to latents, not in image space"):
        check_options(space="image", model="resnet18", head="linear", film=False, noise=GRID)


@pytest.mark.parametrize("name", ["hf-hub:timm/convnext_tiny.fb_in1k", "local-dir:/tmp", "convnext_tinny"])
def test_only_a_network_of_timm_itself_is_built(name):
    with pytest.raises(InputError, match=rf"recipes.\*.model: timm \S+ has no '{name}'"):
        build_classifier(described(4, name))


def pretrained(tmp_path, model: str) -> tuple[dict, Path]:
    """Weights as if trained on RGB images of 1,000 classes, and the file that holds them."""
    network = timm.create_model(model, **(CONVNEXT if model == "convnext_tiny" else RESNET))
    for parameter in network.parameters():
        parameter.data += 0.01  # timm starts biases at zero, where a fresh one could not be told
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    return network.state_dict(), tmp_path / "weights.safetensors"


@pytest.mark.parametrize(
    ("model", "first", "head"), [("resnet18", "conv1", "fc"), ("convnext_tiny", "stem.0", "head.fc")]
)
def test_imagenet_weights_start_a_latent_classifier_except_for_its_first_and_last_layer(
    tmp_path, model, first, head, monkeypatch
):
    weights, file = pretrained(tmp_path, model)

    def refused(*_):
        raise AssertionError("a hub was asked")

    monkeypatch.setattr(socket.socket, "connect", refused)
    for space, channels, kind in (("latent", 3, "linear"), ("latent", 16, "cosine"), ("image", 3, "linear")):
        built = build_classifier(described(channels, model, space=space, head=kind), file)
        fresh = {f"{layer}.{part}" for layer in [head, first][: 1 + (space == "latent")] for part in ("weight", "bias")}
        for key, value in built.network.state_dict().items():
            kept = value.shape == weights[key].shape and torch.equal(value, weights[key])
            assert kept == (key not in fresh), (space, channels, key)
        assert torch.isfinite(built(images(2, 32, channels))).all()


@pytest.mark.parametrize("patch", [1, 2, 4])
def test_imagenet_weights_start_a_latent_classifier_of_any_stem(tmp_path, patch):
    weights, file = pretrained(tmp_path, "convnext_tiny")
    built = build_classifier(described(3, stem_patch=patch), file).network.state_dict()
    fresh = {"stem.0", "head.fc"} | ({"stages.0.downsample.0", "stages.0.downsample.1"} if patch == 2 else set())
    for key, value in built.items():
        kept = key in weights and value.shape == weights[key].shape and torch.equal(value, weights[key])
        assert kept == (key.rpartition(".")[0] not in fresh), key


def test_imagenet_weights_that_do_not_fit_the_options_are_refused(tmp_path):
    weights, file = pretrained(tmp_path, "convnext_tiny")
    with pytest.raises(InputError, match=r"these weights do not fit convnext_tiny with stem_patch 2 .*init: random"):
        build_classifier(described(3, stem_patch=2, space="image"), file)
    with pytest.raises(InputError, match=r"stages.3.*is \(64,\), expected \(48,\); .*more\); set `init: random`"):
        build_classifier(described(4, options={"dims": [8, 16, 32, 48]}), file)
    with pytest.raises(InputError, match=r"\(stages.0.blocks.1.gamma is missing; .* and 6 more\)"):
        build_classifier(described(4, options={"depths": [2, 1, 1, 1]}), file)
    save_file(weights | {"wing.weight": torch.zeros(1)}, file)
    with pytest.raises(InputError, match=r"\(wing.weight is not part of the network\)"):
        build_classifier(described(4), file)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"weights.safetensors: not a whole safetensors file .*fetch or make it again"):
        build_classifier(described(4), file)
    with pytest.raises(InputError, match="nowhere does not exist"):
        build_classifier(described(4), tmp_path / "nowhere")


def test_weights_from_before_batch_norm_counted_its_batches_are_taken(tmp_path):
    weights, file = pretrained(tmp_path, "resnet18")
    save_file({key: value for key, value in weights.items() if "num_batches" not in key}, file)
    assert torch.equal(build_classifier(described(4, "resnet18"), file).network.bn1.bias, weights["bn1.bias"])


def test_the_paper_starts_from_the_weights_of_torchvision():
    """timm lists the published repositories as weights of these networks."""
    published = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text(encoding="utf-8"))["pretrained"]
    for model, entry in published.items():
        tag = entry["source"].removeprefix("timm/")
        assert tag.partition(".")[0] == model
        assert timm.get_pretrained_cfg(tag).hf_hub_id == entry["source"]


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
    classifier = Classifier(torch.nn.Flatten(), [1.0, 2.0], [3.0, 4.0], ["a", "b"])
    state = classifier.state_dict()
    assert {key: value.flatten().tolist() for key, value in state.items()} == {"mean": [1, 2], "std": [3, 4]}
    assert classifier.classes == ["a", "b"]
