"""The loss on noisy latents, against numbers worked out by hand; and where its gradient goes."""

import math

import pytest
import torch

from learnability import load_classifier
from learnability.errors import InputError
from learnability.generation.regularisation import noisy_latent_loss
from tests.trained import describe_run, write_run

LABEL = torch.tensor([0, 2, 1, 1])


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    units = {"mean": [0.0], "std": torch.linspace(1, 2, 16).tolist()}  # a unit per position of 2 x 2, as FLUX.2's
    return load_classifier(write_run(tmp_path_factory.mktemp("run"), describe_run(pipeline=units)))


@pytest.mark.parametrize("sigma", [0.7, torch.tensor([0.1, 0.5, 2.0, 9.0])])
def test_it_is_the_cross_entropy_of_the_classifier_on_its_own_noise(classifier, sigma):
    z = torch.randn(4, 4, 8, 8)
    torch.manual_seed(3)
    loss = noisy_latent_loss(classifier, z, LABEL, sigma)
    torch.manual_seed(3)
    levels = torch.as_tensor(sigma).expand(4)
    noisy = classifier.add_noise(classifier.normalise(z), levels, torch.randn(4, 4, 8, 8))
    with torch.no_grad():
        probability = classifier.logits(noisy, levels).softmax(1)
    expected = -torch.stack([probability[i, k] for i, k in enumerate(LABEL)]).log().mean()
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-5)


def test_levels_are_drawn_from_those_of_the_training(classifier, monkeypatch):
    drawn = []
    monkeypatch.setattr(classifier.levels, "sample", lambda n, device: drawn.append((n, device)) or torch.ones(n))
    z = torch.randn(4, 4, 8, 8)
    torch.manual_seed(3)
    loss = noisy_latent_loss(classifier, z, LABEL)
    torch.manual_seed(3)
    assert torch.equal(loss, noisy_latent_loss(classifier, z, LABEL, 1.0))
    assert drawn == [(4, z.device)]


def test_the_gradient_reaches_the_latents_and_not_the_weights(classifier):
    generator = torch.nn.Linear(2, 4 * 8 * 8)
    noisy_latent_loss(classifier, generator(torch.randn(4, 2)).view(4, 4, 8, 8), LABEL, 0.5).backward()
    assert generator.weight.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in classifier.parameters())
    assert all(parameter.requires_grad for parameter in classifier.parameters())  # left as it was


def test_descending_it_makes_latents_of_the_class(classifier):
    torch.manual_seed(0)
    z = torch.randn(4, 4, 8, 8, requires_grad=True)
    before = classifier(z).softmax(1).gather(1, LABEL[:, None])
    optimiser = torch.optim.Adam([z], lr=0.1)
    for _ in range(20):
        optimiser.zero_grad()
        noisy_latent_loss(classifier, z, LABEL).backward()
        optimiser.step()
    assert (classifier(z).softmax(1).gather(1, LABEL[:, None]) > before).all()


def test_a_classifier_that_cannot_serve_is_refused(tmp_path, classifier):
    clean = load_classifier(write_run(tmp_path, describe_run(film=False, noise=None, noise_unit=None)))
    with pytest.raises(
        InputError, match="trained on clean latents alone; for a loss on noisy ones train a recipe with"
    ):
        noisy_latent_loss(clean, torch.randn(4, 4, 8, 8), LABEL)
    for sigma in (-0.5, math.nan, math.inf, torch.tensor([0.1, 0.2, -0.1, 0.3])):
        with pytest.raises(InputError, match=r"sigma .*: expected numbers of at least 0"):
            noisy_latent_loss(classifier, torch.randn(4, 4, 8, 8), LABEL, sigma)
    classifier.train()
    with pytest.raises(InputError, match=r"in training mode; call classifier.eval\(\)"):
        noisy_latent_loss(classifier, torch.randn(4, 4, 8, 8), LABEL)
    classifier.eval()
