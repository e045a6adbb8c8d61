"""Training with noise, in each family and in the units of a pipeline, and scores over the noise level."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F

from learnability.classifiers.classifier import Classifier
from learnability.classifiers.saved import load_classifier
from learnability.storage.contracts import SCORES, read_json, write_json, write_parquet
from learnability.training import evaluation
from learnability.training.evaluation import CURVE, noise_curve, noisy_batches, sample_noise
from learnability.training.fold_data import load_fold
from tests.lights import TEST, inputs, interrupt, train, write_study
from tests.recipes import LATENT

FAMILIES = {
    "edm_grid": {"family": "edm", "draw": "grid", "sigma_max": 80, "scale_input": False},
    "edm_lognormal": {"family": "edm", "draw": "lognormal", "scale_input": True},
    "flow_uniform": {"family": "flow", "draw": "uniform"},
    "flow_logit_normal": {"family": "flow", "draw": "logit_normal"},
    "vp": {"family": "vp", "draw": "uniform"},
}
SHORT = LATENT | {"epochs": 2}
NOISY = SHORT | {"noise": FAMILIES["edm_lognormal"], "film": True}


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def bare(study) -> dict:
    """A run of each family without FiLM."""
    return {name: train(study, f"{name}_bare", SHORT | {"noise": noise}) for name, noise in FAMILIES.items()}


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_trains_and_resumes_to_the_same_bytes(study, bare, family):
    recipe = SHORT | {"noise": FAMILIES[family], "film": True}
    whole = train(study, family, recipe)
    interrupt(study, f"{family}_resumed", recipe, epoch=2)
    assert train(study, f"{family}_resumed", recipe) == whole
    assert np.isfinite(pd.read_csv(study / family / "history.csv")["train_loss"]).all()
    assert bare[family]["predictions.parquet"] != whole["predictions.parquet"]
    assert bare[family]["history.csv"] != whole["history.csv"]


def test_the_families_train_on_unlike_levels(study, bare):
    runs = [*bare.values(), train(study, "none", SHORT)]
    assert len({run["model.safetensors"] for run in runs}) == len(FAMILIES) + 1


def test_the_card_of_a_run_holds_its_noise_with_every_default(study):
    train(study, "card", NOISY | {"epochs": 1})
    card = read_json(study / "card/model.json")
    assert card["noise"] == {
        "family": "edm", "draw": "lognormal", "sigma_min": 0.002, "sigma_max": 80.0, "mean": -0.4, "deviation": 1.0,
        "scale_input": True,
    }  # fmt: skip
    assert (card["film"], card["noise_space"], card["noise_unit"]) == (True, "normalised", None)


def noise_of_a_training(study: Path, recipe: dict, monkeypatch) -> np.ndarray:
    """What a training added to each latent, per unit of σ and in raw latents, (n, C, h, w)."""
    added, whole = [], Classifier.add_noise

    def noted(model, x, sigma, noise):
        noisy = whole(model, x, sigma, noise)
        added.append(((noisy - x) * model.std / sigma.view(-1, 1, 1, 1)).double().numpy())
        return noisy

    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "add_noise", noted)
        train(study, "noted", recipe)
    return np.concatenate(added)


# High levels only: at 0.002, adding and subtracting in float32 leaves nothing to measure.
LOUD = SHORT | {
    "noise": {"family": "edm", "draw": "lognormal", "sigma_min": 1, "mean": 2},
    "noise_space": "autoencoder",
}
FOUR = [0.2, 1.5, 3.0, 10.0]  # of the four channels
SIXTEEN = (np.arange(1, 17) * 0.25).tolist()  # of 2 x 2 positions packed into channels


@pytest.mark.parametrize("std", [[2.5], FOUR], ids=["one", "each channel"])
def test_noise_is_sigma_in_every_channel_of_the_pipeline(tmp_path, std, monkeypatch):
    study = write_study(tmp_path)
    card = read_json(study / "autoencoder.json")
    write_json(card | {"pipeline": {"mean": [0.5], "std": std}}, study / "autoencoder.json")
    raw = noise_of_a_training(study, LOUD, monkeypatch)  # 120 latents of 4 x 8 x 8
    assert raw.shape == (120, 4, 8, 8)
    in_pipeline = raw / np.reshape(std, (-1, 1, 1))
    np.testing.assert_allclose(in_pipeline.std(axis=(0, 2, 3)), 1, rtol=0.04)  # 7,680 draws: 0.8 %
    np.testing.assert_allclose(in_pipeline.mean(axis=(0, 2, 3)), 0, atol=0.05)


def test_noise_is_sigma_in_every_packed_channel_of_the_pipeline(tmp_path, monkeypatch):
    study = write_study(tmp_path)
    card = read_json(study / "autoencoder.json")
    write_json(card | {"pipeline": {"mean": [0.0] * 16, "std": SIXTEEN}}, study / "autoencoder.json")
    raw = torch.from_numpy(noise_of_a_training(study, LOUD, monkeypatch))
    packed = F.pixel_unshuffle(raw, 2).numpy()  # (n, 16, 4, 4), channel 4 c + 2 i + j, as FLUX.2's pipeline packs
    np.testing.assert_allclose(packed.std(axis=(0, 2, 3)), SIXTEEN, rtol=0.08)  # 1,920 draws: 1.6 %


def test_without_it_noise_is_sigma_in_every_normalised_channel(study, monkeypatch):
    raw = noise_of_a_training(study, LOUD | {"noise_space": "normalised"}, monkeypatch)
    std = read_json(study / "noted/model.json")["std"]
    np.testing.assert_allclose(raw.std(axis=(0, 2, 3)), std, rtol=0.04)
    assert max(std) > 5 * min(std)  # so in raw latents it differs by channel


@pytest.fixture(scope="module")
def traced(study):
    """A run with noise and one without, each with the data it is judged on."""
    found = {}
    for name, recipe in (("noisy", NOISY), ("plain", LATENT)):
        train(study, f"traced_{name}", recipe | {"epochs": 4})
        found[name] = (load_classifier(study / f"traced_{name}"), load_fold(**inputs(study, recipe)))
    return found


@pytest.mark.parametrize("name", ["noisy", "plain"])
def test_a_curve_begins_with_the_scores_of_the_predictions(study, traced, name):
    curve = noise_curve(*traced[name], seed=1)
    scored = read_json(study / f"traced_{name}" / "metrics.json")
    assert curve["sigma"].tolist() == CURVE
    assert sorted(CURVE) == CURVE
    assert (CURVE[0], CURVE[1], CURVE[-1]) == (0, pytest.approx(0.01), pytest.approx(80))
    assert {score: curve[score][0] for score in SCORES} == {score: scored[score] for score in SCORES}
    assert (curve["n"] == len(TEST)).all()
    assert list(curve.columns) == ["sigma", *SCORES, "n"]
    assert not curve.isna().any(axis=None)


def test_noise_that_drowns_the_latents_leaves_nothing_to_tell_classes_by(study, traced):
    curve = noise_curve(*traced["plain"], seed=1)
    assert curve["auc"][0] > 0.8
    assert curve["auc"].iloc[-1] < curve["auc"][0] - 0.15


def test_a_curve_is_repeatable_to_the_byte_and_another_seed_draws_other_noise(traced, tmp_path):
    for name, seed in (("first", 1), ("second", 1), ("other", 2)):
        write_parquet(noise_curve(*traced["noisy"], seed=seed), tmp_path / f"{name}.parquet")
    first, second, other = ((tmp_path / f"{name}.parquet").read_bytes() for name in ("first", "second", "other"))
    assert first == second != other


def noise_by_sample(model, data, seed: int = 1) -> dict[str, np.ndarray]:
    drawn = torch.cat([noise for _, noise in noisy_batches(model, data, seed)]).numpy()
    return dict(zip(data.samples["sample_id"].iloc[data.split["test"]], drawn, strict=True))


def test_the_noise_of_a_sample_is_its_own_whatever_the_batch_or_its_neighbours(study, traced, monkeypatch):
    model, data = traced["noisy"]
    whole, curve = noise_by_sample(model, data), noise_curve(model, data, seed=1)
    monkeypatch.setattr(evaluation, "EVALUATION_BATCH", 7)
    parts = noise_by_sample(model, data)
    assert all(np.array_equal(parts[name], whole[name]) for name in whole)
    np.testing.assert_allclose(noise_curve(model, data, seed=1), curve, atol=1e-12)
    few = load_fold(**inputs(study, NOISY))
    few.split["test"] = data.split["test"][[9, 3, 4]]
    alone = noise_by_sample(model, few)
    assert list(alone) == [f"image{row:03d}" for row in TEST[[9, 3, 4]]]
    assert all(np.array_equal(alone[name], whole[name]) for name in alone)


def test_the_noise_of_two_samples_or_seeds_is_unlike_and_standard_normal():
    draws = np.stack([sample_noise(f"image{i}", (4, 16, 16), seed) for i in range(20) for seed in (1, 2)])
    assert draws.dtype == np.float32
    assert len({draw.tobytes() for draw in draws}) == 40
    np.testing.assert_allclose([draws.mean(), draws.std()], [0, 1], atol=0.02)
    correlation = np.corrcoef(draws.reshape(40, -1))
    assert np.abs(correlation - np.eye(40)).max() < 0.15


def test_a_level_of_the_curve_is_that_noise_and_that_label(traced):
    """The probabilities at one level are what the classifier itself gives for the noisy raw latent and its level."""
    model, data = traced["noisy"]
    x, noise = next(noisy_batches(model, data, 1))
    found = evaluation.noisy_probabilities(model, x, noise, 1.5)
    raw = (x + 1.5 * noise) * model.std + model.mean
    with torch.inference_mode():
        expected = model(raw, 1.5).double().softmax(dim=1).numpy()
        clean = model(raw).double().softmax(dim=1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.abs(found - clean).max() > 1e-3
