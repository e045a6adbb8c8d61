"""What stays in float32 when a network computes in bfloat16, as on a GPU: a step's input, the last layer, logits."""

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from torch import nn

from learnability.autoencoders.decoding import image_decoder
from learnability.classifiers.classifier import Classifier, build_classifier, image_moments
from learnability.classifiers.heads.linear import LinearHead
from learnability.classifiers.noise.levels import build_levels
from learnability.study.recipe import Recipe
from learnability.training import engine as training
from learnability.training import evaluation
from learnability.training.engine import train_step
from learnability.training.evaluation import noisy_probabilities, predict_logits
from learnability.training.fold_data import load_fold
from learnability.training.losses import build_loss
from tests.lights import inputs, train, write_study
from tests.networks import GRID, described, images
from tests.recipes import IMAGE, LATENT, recipe_of
from tests.unit.test_efficiency import Grey

MODELS = {
    "resnet18": described(4, "resnet18"),
    "convnext_tiny": described(4),
    "convnext_tiny with FiLM": described(4, film=True, noise=GRID),
}


@pytest.fixture
def in_bfloat16(monkeypatch):
    """The study's autocast as on a GPU."""
    for module in (training, evaluation):
        monkeypatch.setattr(module, "autocast", lambda device: torch.autocast(device.type, torch.bfloat16))


class Mean(nn.Module):
    """The smallest network: the logits are the means of the channels. It notes what it reads."""

    def __init__(self):
        super().__init__()
        self.scale, self.seen = nn.Parameter(torch.ones(3)), None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen = x
        return x.mean(dim=(2, 3)) * self.scale


def step_input(recipe: Recipe) -> torch.Tensor:
    """What the network reads in one training step on images of 256 px."""
    levels = build_levels(recipe.noise) if recipe.noise else None
    model = Classifier(Mean(), *image_moments(), ["a", "b", "c"], levels)
    optimiser, loss = torch.optim.Adam(model.parameters()), build_loss(recipe, torch.tensor([3, 2, 1]))
    torch.manual_seed(0)
    train_step(model, images(4, 256) * 255, torch.tensor([0, 1, 2, 0]), 1, loss, optimiser, recipe)
    return model.network.seen


def test_without_augmentation_and_masking_a_step_reads_the_rows_as_they_are():
    plain = step_input(recipe_of(augment=[], mask=0))
    model = Classifier(Mean(), *image_moments(), ["a", "b", "c"])
    assert torch.equal(plain, model.normalise(images(4, 256) * 255))


@pytest.mark.parametrize("changes", [{}, {"mask": 0.2, "noise": GRID}], ids=["augmented", "masked and noisy"])
def test_the_input_of_a_step_is_that_without_autocast_to_the_bit(changes, request):
    recipe = recipe_of(**changes)
    expected = step_input(recipe)
    request.getfixturevalue("in_bfloat16")
    got = step_input(recipe)
    assert got.dtype == torch.float32
    assert torch.equal(got, expected)


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_the_product_of_the_features_in_float32(name):
    model, features = build_classifier(MODELS[name]).eval(), []
    head = model.network.get_classifier()
    head.register_forward_pre_hook(lambda _, given: features.append(given[0]))
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(images(5, 32, 4) * 9, 1.0)
    assert logits.dtype == torch.float32
    weight, bias = head.weight.double(), head.bias.double()
    expected = (features[0].double()[:, None] * weight).sum(dim=2) + bias
    np.testing.assert_allclose(logits.detach(), expected.detach(), rtol=1e-5, atol=1e-6)


def test_the_features_before_them_are_in_bfloat16():
    """Otherwise the test above says nothing."""
    model, features = build_classifier(MODELS["resnet18"]).eval(), []
    model.network.get_classifier().register_forward_pre_hook(lambda _, given: features.append(given[0]))
    with torch.autocast("cpu", torch.bfloat16):
        model(images(5, 32, 4) * 9)
    assert features[0].dtype == torch.bfloat16


def test_the_last_layer_has_the_parameters_of_the_networks_own():
    for name in ("resnet18", "convnext_tiny"):
        torch.manual_seed(3)
        plain = timm.create_model(name, in_chans=4, num_classes=3, **described(4, name)["model_options"])
        drawn = torch.rand(1)
        torch.manual_seed(3)
        network = build_classifier(described(4, name)).network
        assert torch.equal(torch.rand(1), drawn)  # and no number is drawn for it
        assert isinstance(network.get_classifier(), LinearHead)
        assert list(network.state_dict()) == list(plain.state_dict())
        assert all(torch.equal(value, plain.state_dict()[key]) for key, value in network.state_dict().items())


def test_what_stays_in_float32_is_no_tf32_and_a_decoder_beside_it_is(tmp_path, monkeypatch):
    """Precision "high" would reach the grid of the augmentation, the last layer and FiLM."""
    seen, step = [], training.train_step
    noted = lambda what: seen.append((what, torch.get_float32_matmul_precision()))  # noqa: E731
    monkeypatch.setattr(training, "train_step", lambda *given: noted("step") or step(*given))
    monkeypatch.setattr(Grey, "decode", lambda self, z, whole=Grey.decode: noted("decoder") or whole(self, z))
    given = {"array": "latents.npy", "autoencoder_card": "autoencoder.json"}
    study = write_study(tmp_path)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")  # as after an encoding in the same process
    try:
        files = {name: study / file for name, file in given.items()}
        train(study, "run", IMAGE | {"epochs": 1}, decode=image_decoder("grey", Grey(), 16), **files)
    finally:
        torch.set_float32_matmul_precision(before)
    assert set(seen) == {("step", "highest"), ("decoder", "high")}


def test_predicted_logits_and_probabilities_over_noise_are_not_rounded_to_bfloat16(tmp_path, in_bfloat16):
    study = write_study(tmp_path)
    data = load_fold(**inputs(study, LATENT))
    model = build_classifier(described(4, side=8, stem_patch=1)).eval()
    logits = predict_logits(model, data, "train")
    assert logits.dtype == torch.float32
    assert (logits != logits.bfloat16()).float().mean() > 0.9
    x = images(5, 8, 4)
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        expected = F.softmax(model.logits(x.contiguous(memory_format=torch.channels_last)).double(), dim=1)
    probabilities = noisy_probabilities(model, x, torch.zeros_like(x), 0.0)
    np.testing.assert_array_equal(probabilities, expected)
    logarithms = np.log(probabilities[:, 0] / probabilities[:, 1])
    assert (logarithms != torch.from_numpy(logarithms).bfloat16().double().numpy()).all()
