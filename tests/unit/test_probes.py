"""The networks of the probe ladder: their sizes by hand, what each computes, and that they serve as classifiers."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from learnability import load_classifier, registry
from learnability.classifiers.classifier import build_classifier, build_network
from learnability.commands.missing_networks import wrong_network
from learnability.errors import InputError
from learnability.planning.networks import classifier_operations
from learnability.study.options import check_options
from learnability.study.recipe import KEYS
from learnability.study.recipes import resolve_recipe
from tests.lights import train, write_study
from tests.published import PUBLISHED
from tests.recipes import LATENT, recipe_of
from tests.trained import describe_run, write_run

PROBES = ("probe_linear", "probe_mlp", "probe_attention", "probe_cnn")
CHANNELS, CLASSES = 16, 3
SIZES = {
    "probe_linear": 16 * 3 + 3,
    "probe_mlp": 16 * 256 + 256 + 256 * 3 + 3,
    "probe_attention": 16 * 4 + 4 * 16 * 3 + 3,
    "probe_cnn": 9 * (16 * 32 + 32 * 64 + 64 * 128) + 2 * (32 + 64 + 128) + 128 * 3 + 3,
}


def probe(name: str, channels: int = CHANNELS, side: int = 8, **options) -> nn.Module:
    described = {"model": name, "model_options": options, "stem_patch": None, "head": "linear"}
    return build_network(described | {"in_channels": channels, "grid": [side, side], "classes": ["a", "b", "c"]})


def probe_recipe(name: str, **changes):
    return recipe_of(LATENT, model=name, model_options={}, stem_patch=None, loss="cross_entropy", mask=0, **changes)


@pytest.mark.parametrize("name", PROBES)
@pytest.mark.parametrize(("channels", "side"), [(1, 8), (3, 32), (32, 9)])
def test_a_probe_gives_logits_and_every_weight_has_a_gradient(name, channels, side):
    network = probe(name, channels, side)
    logits = network(torch.randn(4, channels, side, side))
    assert logits.shape == (4, CLASSES)
    logits.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.parameters())


@pytest.mark.parametrize("name", PROBES)
def test_parameters_are_those_counted_by_hand_here_and_in_a_plan(name):
    network = probe(name)
    assert sum(parameter.numel() for parameter in network.parameters()) == SIZES[name]
    operations, parameters = classifier_operations(probe_recipe(name), CHANNELS, 8, CLASSES)
    assert parameters == SIZES[name]
    macs = {
        "probe_linear": 16 * 3,
        "probe_mlp": 16 * 256 + 256 * 3,
        "probe_attention": 2 * 64 * 16 * 4 + 64 * 3,
        "probe_cnn": 9 * (64 * 16 * 32 + 16 * 32 * 64 + 4 * 64 * 128) + 128 * 3,
    }
    assert operations == 2 * macs[name]


def test_options_change_the_sizes_and_others_are_refused():
    assert probe("probe_mlp", hidden=10).num_features == 10
    assert probe("probe_attention", heads=2).num_features == 32
    assert probe("probe_cnn", width=4).num_features == 16
    with pytest.raises(InputError, match=r"recipes.\*.model_options {'hidden': 3}: not options of probe_linear"):
        probe("probe_linear", hidden=3)


def test_the_linear_probe_is_a_linear_layer_on_the_mean():
    network, x = probe("probe_linear"), torch.randn(5, CHANNELS, 8, 8)
    expected = torch.nn.functional.linear(x.mean(dim=(2, 3)), network.fc.weight, network.fc.bias)
    assert torch.equal(network(x), expected)


def test_the_linear_probe_trained_to_its_end_is_logistic_regression():
    random = np.random.default_rng(0)
    label = random.integers(0, 3, 300)
    z = (random.normal(size=(3, 4))[label] + random.normal(size=(300, 4)))[:, :, None, None]
    x = torch.tensor(z + random.normal(size=(300, 4, 3, 3)), dtype=torch.float64)
    network = probe("probe_linear", 4, 3).double()
    network.fc = nn.Linear(4, 3).double()  # LinearHead computes in float32
    optimiser = torch.optim.LBFGS(network.parameters(), max_iter=500, tolerance_grad=1e-10, tolerance_change=1e-14)

    def loss():
        optimiser.zero_grad()
        value = nn.functional.cross_entropy(network(x), torch.from_numpy(label))
        value.backward()
        return value

    optimiser.step(loss)
    pooled = x.mean(dim=(2, 3)).numpy()
    best = LogisticRegression(C=np.inf, tol=1e-10, max_iter=5000).fit(pooled, label)
    assert network(x).softmax(1).detach().numpy() == pytest.approx(best.predict_proba(pooled), abs=1e-4)


def test_attention_begins_as_a_mean_and_can_pick_a_position():
    """A class that shows at one position among 64 is lost in the mean; a query finds it."""
    network, x = probe("probe_attention", heads=1), torch.randn(5, CHANNELS, 8, 8)
    assert torch.allclose(network.body(x), x.mean(dim=(2, 3)), atol=1e-6)
    with torch.no_grad():
        network.body.score.weight[0, 0] = 100.0
    x[:, 0] = 0
    x[:, 0, 3, 5] = 1
    assert torch.allclose(network.body(x), x[:, :, 3, 5])


@pytest.mark.parametrize("name", PROBES)
def test_a_classifier_of_a_probe_is_trained_opened_and_conditioned_or_not_like_any_other(tmp_path, name):
    values = {"model": name, "model_options": {}, "stem_patch": None, "film": False, "noise": None, "noise_unit": None}
    folder = write_run(tmp_path / "run", describe_run(**values))
    assert load_classifier(folder)(torch.randn(2, 4, 8, 8)).shape == (2, 3)
    cosine = build_classifier(describe_run(**values | {"head": "cosine"}))
    assert cosine(torch.randn(2, 4, 8, 8)).abs().max() <= 1.001
    assert wrong_network(probe_recipe(name), "latent", (4, 8, 8), None) is None
    assert "stem_patch is for a ConvNeXt" in wrong_network(
        probe_recipe(name).with_values({"stem_patch": 1}), "latent", (4, 8, 8), None
    )
    with pytest.raises(InputError, match=f"FiLM follows the four stages of a ConvNeXt, and {name} is none"):
        check_options(space="latent", model=name, head="linear", film=True, noise=None)


def test_a_probe_learns_in_the_engine_and_its_code_is_its_own(tmp_path):
    """Brightness tells the classes of this study apart, and a mean over positions keeps it."""
    study = write_study(tmp_path)
    recipe = probe_recipe("probe_linear", lr=0.05, epochs=12).values()
    given = train(study, "first", recipe | {"model": "probe_linear"})
    assert given == train(study, "again", recipe)
    assert "classifiers.probes" in registry.modules_of_network(recipe_of(recipe))
    assert "classifiers.probes" not in registry.modules_of_network(recipe_of(LATENT))


@pytest.mark.parametrize("name", PROBES)
def test_the_published_probes_differ_from_matched_in_network_and_step_alone(name):
    recipe = resolve_recipe(PUBLISHED, name)
    network = {"model", "model_options", "stem_patch", "lr"}
    assert set(recipe.unlike(resolve_recipe(PUBLISHED, "matched_cross_entropy"), KEYS)) <= network
    assert recipe.loss == "cross_entropy"
    assert wrong_network(recipe, "latent", (32, 64, 64), None) is None
