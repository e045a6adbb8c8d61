"""FiLM starts as the unconditioned network to the bit, learns in every layer, and depends on the noise level."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from learnability.classifiers.classifier import build_classifier
from learnability.classifiers.film import FiLM
from learnability.errors import InputError
from learnability.study.options import check_options
from tests.networks import GRID, described, images

FAMILIES = [
    GRID,
    {"family": "edm", "draw": "lognormal", "scale_input": True},
    {"family": "flow", "draw": "logit_normal"},
    {"family": "vp", "draw": "uniform"},
]
SIGMAS = [None, 0.0, 0.002, 0.7, 80.0, torch.tensor([0.01, 0.5, 2.0, 9.0])]


def built(pretrained=None, **keys):
    torch.manual_seed(3)
    return build_classifier(described(4, **keys), pretrained)


def conditioned(**keys):
    """A classifier whose FiLM is away from zero, as after training."""
    model = built(film=True, noise=GRID, **keys)
    for layer in model.film.stages:
        torch.nn.init.normal_(layer.weight, std=0.05)
    return model.eval()


def z(number: int = 4) -> torch.Tensor:
    return images(number, 32, 4) * 9 - 4


@pytest.mark.parametrize("init", ["random", "imagenet"])
def test_the_rest_of_the_network_starts_from_the_same_random_numbers(init, tmp_path):
    file = None
    if init == "imagenet":
        file = tmp_path / "weights.safetensors"
        save_file(built(in_channels=3, mean=[0] * 3, std=[1] * 3).network.state_dict(), file)
    plain, film = built(file).state_dict(), built(file, film=True, noise=GRID).state_dict()
    assert {key for key in film if key not in plain} == {key for key in film if key.startswith("film.")}
    for key, value in plain.items():
        assert torch.equal(film[key], value), key


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("patch", [4, 2, 1])
def test_at_the_start_the_conditioned_network_is_the_unconditioned_one_to_the_bit(patch, training):
    plain = built(stem_patch=patch).train(training)
    model = built(stem_patch=patch, film=True, noise=GRID).train(training)
    for sigma in SIGMAS:
        assert torch.equal(model(z(), sigma), plain(z())), sigma
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(model(z(), sigma), plain(z())), sigma


@pytest.mark.parametrize("noise", FAMILIES, ids=lambda noise: noise["family"] + noise["draw"])
def test_at_the_start_of_every_family_only_the_input_scale_tells_levels_apart(noise):
    plain, model = built().eval(), built(film=True, noise=noise).eval()
    sigma, x = SIGMAS[-1], plain.normalise(z())
    scaled = x * model.levels.input_scale(sigma, model.noise_unit, 0.5)
    assert torch.equal(model(z(), sigma), plain.network(scaled))
    assert torch.equal(model(z()), model(z(), model.levels.clean))


def test_gradients_reach_the_film_layers_at_the_start_and_all_of_film_one_step_later():
    model = built(film=True, noise=GRID).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    label = torch.tensor([0, 1, 2, 0])
    for step in range(2):
        optimiser.zero_grad()
        F.cross_entropy(model(z(), SIGMAS[-1]), label).backward()
        for number, layer in enumerate(model.film.stages):
            assert layer.weight.grad.abs().max() > 0, number
            gamma, beta = layer.bias.grad.chunk(2)
            assert gamma.abs().max() > 0, number
            assert beta.abs().max() > 0, number
        hidden = [parameter.grad.abs().max() > 0 for parameter in model.film.embedding.parameters()]
        assert hidden == [step > 0] * 4  # nothing passes a layer of zeros
        optimiser.step()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_trained_film_scales_and_shifts_the_features_after_each_stage():
    model = conditioned()
    sigma, x, film = SIGMAS[-1], model.normalise(z()), model.film
    label = sigma.log() / 4
    fourier = math.sqrt(2) * torch.cos(2 * math.pi * (torch.outer(label, film.frequency) + film.phase))
    first, _, last = film.embedding
    embedding = last(F.silu(first(fourier)))
    features = model.network.stem(x)
    for stage, layer in zip(model.network.stages, film.stages, strict=True):
        gamma, beta = layer(embedding).view(4, 2, -1, 1, 1).unbind(1)
        features = stage(features) * (1 + gamma) + beta
    expected = model.network.forward_head(features)
    torch.testing.assert_close(model(z(), sigma), expected, rtol=1e-4, atol=1e-5)
    one_by_one = torch.cat([model(z()[i : i + 1], float(sigma[i])) for i in range(4)])
    torch.testing.assert_close(one_by_one, expected, rtol=1e-4, atol=1e-5)  # each row hears its own level
    assert not torch.allclose(model(z(), 0.01), model(z(), 5.0))


def test_fourier_features_have_unit_variance_and_are_the_same_for_every_classifier():
    torch.manual_seed(0)
    one = FiLM([8])
    torch.manual_seed(1)
    other = FiLM([8])
    assert torch.equal(one.frequency, other.frequency)
    assert torch.equal(one.phase, other.phase)
    assert {"frequency", "phase"} < one.state_dict().keys()
    features = one.fourier(torch.linspace(-1.55, 1.1, 400))
    assert features.shape == (400, 256)
    assert features.square().mean().item() == pytest.approx(1, abs=0.05)
    standard_normal, uniform = one.frequency, one.phase
    assert standard_normal.std().item() == pytest.approx(1, abs=3 / math.sqrt(2 * 256))
    assert uniform.mean().item() == pytest.approx(0.5, abs=3 / math.sqrt(12 * 256))


def test_the_embedding_is_in_float32_under_autocast_and_the_features_stay_channels_last():
    model = conditioned().to(memory_format=torch.channels_last)
    exact = model.film.modulations(model.levels.label(SIGMAS[-1]))
    layouts = []
    for stage in model.network.stages[1:]:
        stage.register_forward_pre_hook(
            lambda _, inputs: layouts.append(inputs[0].is_contiguous(memory_format=torch.channels_last))
        )
    with torch.autocast("cpu", torch.bfloat16):
        for found, expected in zip(model.film.modulations(model.levels.label(SIGMAS[-1])), exact, strict=True):
            assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))
        low = model(z().contiguous(memory_format=torch.channels_last), SIGMAS[-1])
    assert layouts == [True] * 3
    np.testing.assert_allclose(low.float().detach(), model(z(), SIGMAS[-1]).detach(), atol=0.1)


def test_noise_without_film_scales_the_input_and_conditions_nothing():
    model = built(noise=FAMILIES[2]).eval()
    assert model.film is None
    x = model.normalise(z())
    torch.testing.assert_close(model(z(), 1.0), model.network(x / 2))  # t = 1/2
    grid = built(noise=GRID).eval()
    assert torch.equal(grid(z(), 7.0), grid(z()))


def test_a_classifier_without_noise_takes_a_level_and_ignores_it():
    model = built().eval()
    assert model.levels is None
    for sigma in SIGMAS:
        assert torch.equal(model(z(), sigma), model(z()))


def test_guidance_has_a_gradient_at_the_latents_for_every_family():
    for noise in FAMILIES:
        model = built(film=True, noise=noise).eval()
        x = z().requires_grad_()
        model(x, 1.5).log_softmax(1)[:, 0].sum().backward()
        assert (x.grad.abs().amax(dim=(1, 2, 3)) > 0).all()


@pytest.mark.parametrize("model", ["convnext_atto", "convnextv2_atto"])
def test_other_convnexts_are_conditioned_too(model):
    plain, film = (built(model=model, side=64, **keys).eval() for keys in ({}, {"film": True, "noise": GRID}))
    x = images(4, 64, 4)
    assert torch.equal(film(x, 3.0), plain(x))
    with torch.autocast("cpu", torch.bfloat16):  # the second has no layer scale: its features are bfloat16 here
        assert torch.equal(film(x, 3.0), plain(x))


def test_film_that_cannot_be_is_refused():
    options = {"space": "latent", "head": "linear", "film": True}
    with pytest.raises(InputError, match=r"recipes.\*.film: .* ConvNeXt, and resnet18 is none.*`film: false`"):
        check_options(model="resnet18", noise=GRID, **options)
    with pytest.raises(InputError, match=r"recipes.\*.film: nothing to condition on without noise; give `noise`"):
        check_options(model="convnext_tiny", noise=None, **options)
