"""A classifier's images are normalised by the mean and deviation with which its starting weights were trained."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.data import resolve_model_data_config

from learnability import load_classifier
from learnability.classifiers.classifier import image_moments
from learnability.classifiers.weights import trained_moments
from learnability.commands.missing import missing_inputs
from learnability.errors import InputError
from learnability.storage.contracts import read_json, write_json
from learnability.workflow.hub import weights_to_fetch
from tests.lights import inputs, train, write_study
from tests.networks import RESNET
from tests.published import published
from tests.recipes import IMAGE

HALF = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
UNLIKE = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
IN_GREY_LEVELS = {key: [255 * value for value in values] for key, values in UNLIKE.items()}


@pytest.mark.parametrize(
    "model",
    ["resnet18", "resnet50", "convnext_tiny", "convnext_small", "vgg16", "tf_efficientnet_lite0",
     "vit_tiny_patch16_224", "resnet34.tv_in1k", "convnext_base.clip_laion2b"],
)  # fmt: skip
def test_the_statistics_are_those_that_timm_resolves_for_the_model(model, tmp_path):
    with torch.device("meta"):
        expected = resolve_model_data_config(timm.create_model(model))
    mean, std = trained_moments(tmp_path / "model.safetensors", model)
    assert (mean, std) == ([255 * x for x in expected["mean"]], [255 * x for x in expected["std"]])
    if model in ("resnet18", "resnet50", "convnext_tiny", "convnext_small", "vgg16"):
        assert (mean, std) == image_moments()  # the very numbers: nothing changes for these
    if model in ("tf_efficientnet_lite0", "vit_tiny_patch16_224"):
        assert mean == std == [127.5] * 3


@pytest.mark.parametrize(
    "config", [UNLIKE, {"architecture": "resnet18", "pretrained_cfg": UNLIKE | {"num_classes": 5}}]
)
def test_the_configuration_beside_the_weights_wins(config, tmp_path):
    write_json(config, tmp_path / "config.json")
    write_json({"repository": "timm/vit_tiny_patch16_224.augreg_in21k"}, tmp_path / "source.json")
    mean, std = trained_moments(tmp_path / "model.safetensors", "resnet18")
    assert {"mean": mean, "std": std} == IN_GREY_LEVELS


def test_a_configuration_that_says_nothing_of_them_is_passed_over(tmp_path):
    write_json({"architecture": "resnet18"}, tmp_path / "config.json")
    assert trained_moments(tmp_path / "model.safetensors", "resnet18") == image_moments()


BROKEN = ["{", "[]", '{"mean": [0.5], "std": [0.5]}', '{"mean": [0.5, 0.5, 0.5]}']
BROKEN += [json.dumps(HALF | change) for change in ({"std": [0.5, 0, 0.5]}, {"mean": "grey"}, {"mean": [0, 0, None]})]


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_configuration_is_refused(text, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(
        InputError, match=r"config\.json: no configuration of timm \(.*expected mean and std, three num"
    ):
        trained_moments(tmp_path / "model.safetensors", "resnet18")


def test_weights_from_timm_say_it_by_their_tag_and_unknown_ones_are_refused(tmp_path):
    """timm has ConvNeXt-Base with ImageNet's statistics and with CLIP's."""
    file = tmp_path / "model.safetensors"
    with pytest.raises(
        InputError, match=r"weights of convnext_base .* is not known; timm has 2, .*Put the config.json"
    ):
        trained_moments(file, "convnext_base")
    write_json({"repository": "timm/convnext_base.fb_in1k"}, tmp_path / "source.json")
    assert trained_moments(file, "convnext_base") == image_moments()
    write_json({"repository": "timm/convnext_base.clip_laion2b"}, tmp_path / "source.json")
    assert trained_moments(file, "convnext_base")[0] == pytest.approx([122.77, 116.75, 104.09], abs=0.01)
    write_json({"repository": "somebody/convnext_base.fb_in1k"}, tmp_path / "source.json")
    with pytest.raises(
        InputError, match=r"is not known.* Copy .* into a folder of yours, without source\.json, .*`source`"
    ):
        trained_moments(file, "convnext_base")  # fetched files must not be edited
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match=r"no configuration of timm .*; Copy .* into a folder of yours"):
        trained_moments(file, "convnext_base")


def test_a_tag_of_other_weights_than_were_fetched_is_refused_where_their_statistics_differ(tmp_path):
    file = tmp_path / "model.safetensors"
    write_json({"repository": "timm/convnext_base.clip_laion2b"}, tmp_path / "source.json")
    with pytest.raises(InputError, match=r"weights of convnext_base\.fb_in1k .* is not known; timm has 2, "):
        trained_moments(file, "convnext_base.fb_in1k")
    write_json({"repository": "timm/convnext_base.fb_in22k_ft_in1k"}, tmp_path / "source.json")
    assert trained_moments(file, "convnext_base.fb_in1k") == image_moments()


def started(folder: Path, config: dict | None) -> Path:
    """Weights of a small ResNet-18 on 1,000 classes, in a folder of their own."""
    folder.mkdir()
    torch.manual_seed(0)
    save_file(timm.create_model("resnet18", **RESNET).state_dict(), folder / "model.safetensors")
    if config:
        write_json(config, folder / "config.json")
    return folder / "model.safetensors"


@pytest.mark.usefixtures("one_thread")
def test_a_run_normalises_by_them_records_them_and_hands_them_on(tmp_path):
    study = write_study(tmp_path)
    recipe = IMAGE | {"model": "resnet18", "model_options": RESNET, "init": "imagenet", "epochs": 1}
    train(study, "random", recipe | {"init": "random"})
    train(study, "plain", recipe, pretrained=started(tmp_path / "a", None))
    train(study, "unlike", recipe, pretrained=started(tmp_path / "b", UNLIKE))
    train(study, "next", recipe | {"start_from": "image"}, start=study / "unlike" / "model.safetensors")
    cards = {name: read_json(study / name / "model.json") for name in ("random", "plain", "unlike", "next")}
    for name in ("random", "plain"):
        assert (cards[name]["mean"], cards[name]["std"]) == image_moments()
    for name in ("unlike", "next"):
        assert {key: cards[name][key] for key in IN_GREY_LEVELS} == IN_GREY_LEVELS
        classifier = load_classifier(study / name)
        torch.testing.assert_close(classifier.mean.flatten(), torch.tensor(IN_GREY_LEVELS["mean"]))
        torch.testing.assert_close(classifier.std.flatten(), torch.tensor(IN_GREY_LEVELS["std"]))
    predictions = [(study / name / "predictions.parquet").read_bytes() for name in ("plain", "unlike")]
    assert predictions[0] != predictions[1]


def test_the_configuration_is_in_the_identity_of_a_run(tmp_path):
    study = write_study(tmp_path)
    files = inputs(study, IMAGE)["inputs"]

    def identity() -> list[str]:
        return replace(files, pretrained=tmp_path / "a" / "model.safetensors").identity()

    started(tmp_path / "a", None)
    without = identity()
    write_json(HALF, tmp_path / "a" / "config.json")
    half = identity()
    write_json(UNLIKE, tmp_path / "a" / "config.json")
    assert len({tuple(found) for found in (without, half, identity())}) == 3


def test_it_is_asked_before_the_first_job_and_fetched_where_timm_does_not_know_it(tmp_path):
    config = published(recipes={"image": {"model": "convnext_base"}})
    config["pretrained"]["convnext_base"] = {"source": str(tmp_path)}
    (tmp_path / "model.safetensors").write_bytes(b"")
    run = {"dataset": "isic2019", "space": "image", "autoencoder": "original", "recipe": "image", "fold": "0"}
    (message,) = missing_inputs(config, [("train_classifier", run)])
    assert message.startswith(f"pretrained.convnext_base: {tmp_path}/model.safetensors: which mean and deviation")
    write_json(HALF, tmp_path / "config.json")
    assert missing_inputs(config, [("train_classifier", run)]) == []
    config["pretrained"]["convnext_base"] = {"source": "somebody/their_convnext"}
    assert weights_to_fetch(config)["convnext_base"]["files"] == ["model.safetensors", "config.json"]
