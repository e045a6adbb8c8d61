"""Fixed maps before a classifier: against NumPy and SciPy, and in a training, in its copies and in its cost."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.fft import dctn, idctn

from learnability.classifiers.classifier import build_classifier
from learnability.classifiers.saved import load_classifier
from learnability.classifiers.transforms.rotate import rotation
from learnability.classifiers.transforms.whiten import FLOOR, covariance, whitening
from learnability.errors import InputError
from learnability.planning.networks import classifier_operations
from learnability.storage.batches import Rows
from learnability.storage.contracts import read_json, write_json
from learnability.study.recipes import check_recipe, resolve_recipe
from learnability.training import engine
from tests.lights import TRAIN, inputs, interrupt, teach, train, write_arrays, write_study
from tests.networks import GRID, described, images
from tests.published import PUBLISHED, published
from tests.recipes import DISTILL, LATENT

WHITEN, ROTATE, LOW_PASS = {"kind": "whiten"}, {"kind": "rotate", "seed": 3}, {"kind": "low_pass", "cutoff": 0.5}
KINDS = pytest.mark.parametrize("transform", [WHITEN, ROTATE, LOW_PASS], ids=lambda transform: transform["kind"])
SHORT = LATENT | {"epochs": 2, "mask": 0}

pytestmark = pytest.mark.usefixtures("one_thread")


def correlated(number: int, channels: int, side: int = 8) -> np.ndarray:
    """Latents (n, C, h, w) with correlated channels of unlike mean and scale."""
    random = np.random.default_rng(5)
    mix, z = random.normal(size=(channels, channels)), random.normal(size=(number, channels, side, side))
    mixed = np.einsum("ij,njhw->nihw", mix, z)
    return mixed * np.geomspace(0.1, 50, channels)[:, None, None] + np.linspace(-40, 90, channels)[:, None, None]


@pytest.fixture
def study(tmp_path):
    """The study of lights with correlated latent channels; the training rows have other moments than the rest."""
    folder = write_study(tmp_path)
    latents = correlated(100, 4)
    latents[np.setdiff1d(np.arange(100), TRAIN)] *= -3
    random = np.random.default_rng(0)
    write_arrays(folder, random.integers(0, 256, (100, 16, 16, 3), dtype=np.uint8), latents.astype(np.float16))
    return folder


def cells(z: np.ndarray) -> np.ndarray:
    return np.moveaxis(np.asarray(z, np.float64), 1, 0).reshape(z.shape[1], -1)


def seen(folder, z: np.ndarray) -> np.ndarray:
    """The input that the network of a trained classifier gets for raw latents."""
    model = load_classifier(folder)
    with torch.inference_mode():
        return model.transform(model.normalise(torch.from_numpy(z))).numpy()


def stored(study) -> np.ndarray:
    return np.array(engine.load_fold(**inputs(study, LATENT)).array)


def test_training_rows_are_white_after_whitening_and_the_moments_are_theirs_alone(study):
    train(study, "run", SHORT | {"transform": WHITEN})
    z = stored(study)
    found = cells(seen(study / "run", z[TRAIN]))
    np.testing.assert_allclose(np.cov(found, bias=True), 0.5**2 * np.eye(4), atol=1e-4)
    assert np.abs(found.mean(axis=1)).max() < 1e-4
    assert np.abs(np.cov(cells(seen(study / "run", z)), bias=True) - 0.25 * np.eye(4)).max() > 0.05
    x = cells(z[TRAIN])
    x = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True) / 2
    values, vectors = np.linalg.eigh(np.cov(x, bias=True))
    by_hand = 0.5 * (vectors / np.sqrt(values)).T @ x  # rows in rising order, of either sign
    np.testing.assert_allclose(np.abs(found), np.abs(by_hand[::-1]), atol=1e-3)


def test_the_covariance_is_of_one_pass_in_float64_whatever_the_blocks():
    x = torch.from_numpy(correlated(40, 6)).float()
    x -= x.double().mean(dim=(0, 2, 3), keepdim=True).float()
    for size in (1, 7, 40):
        found = covariance(iter(x.split(size)))
        assert found.dtype == torch.float64
        np.testing.assert_allclose(found, cells(x) @ cells(x).T / cells(x).shape[1], rtol=1e-12)


def test_blocks_are_of_few_rows_so_that_memory_does_not_grow_with_them(study, monkeypatch):
    sizes, whole = [], Rows.batches

    def noted(rows, order, batch_size):
        sizes.append((len(order), batch_size))
        return whole(rows, order, batch_size)

    monkeypatch.setattr(Rows, "batches", noted)
    monkeypatch.setattr(engine, "FITTED_AT_ONCE", 3 * 4 * 64)
    train(study, "run", SHORT | {"transform": WHITEN})
    assert sizes[0] == (len(TRAIN), 3)


def test_directions_without_variance_are_not_scaled_up_beyond_the_floor():
    known = torch.diag(torch.tensor([0.25, 0.25, 0.25, 0.0], dtype=torch.float64))
    known[0, 1] = known[1, 0] = 0.25  # two channels that are one: an eigenvalue is 0
    matrix = whitening(known)
    made = matrix @ known @ matrix.T
    np.testing.assert_allclose(made, torch.diag(torch.tensor([0.25, 0.25, 0, 0])), atol=1e-9)
    assert float(torch.linalg.svdvals(matrix).max()) == pytest.approx((0.25 / (FLOOR * 0.5)) ** 0.5)
    assert torch.equal(whitening(0 * known), torch.eye(4, dtype=torch.float64))
    assert (matrix.gather(1, matrix.abs().argmax(1, keepdim=True)) > 0).all()


def test_192_channels_are_whitened():
    random = np.random.default_rng(0)
    x = (random.normal(size=(4000, 192)) * np.geomspace(1, 100, 192)) @ rotation(192, 0)
    x = torch.from_numpy((x - x.mean(0)) / x.std(0) / 2).reshape(1000, 2, 2, 192).movedim(3, 1)
    model = build_classifier(described(192, transform=WHITEN, side=32))
    model.transform.fit(x.float().split(100))
    np.testing.assert_allclose(np.cov(cells(model.transform(x))), 0.25 * np.eye(192), atol=1e-3)


def test_a_rotation_keeps_distances_and_the_total_variance_and_is_that_of_its_seed():
    matrix = rotation(16, 3)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(16), atol=1e-12)
    assert np.abs(matrix).max() < 0.95  # it mixes
    assert np.array_equal(rotation(16, 3), matrix)
    assert not np.allclose(rotation(16, 4), matrix)
    model = build_classifier(described(16, transform=ROTATE))
    x = torch.from_numpy(correlated(6, 16)).float()
    turned = model.transform(x)
    np.testing.assert_allclose(turned, np.einsum("ij,njhw->nihw", matrix, x), atol=1e-3)
    flat, mixed = x.flatten(1), turned.flatten(1)
    np.testing.assert_allclose(torch.cdist(mixed, mixed), torch.cdist(flat, flat), rtol=1e-4, atol=0.5)
    assert np.trace(np.cov(cells(turned))) == pytest.approx(np.trace(np.cov(cells(x))), rel=1e-5)


def test_all_folds_and_seeds_of_a_run_share_a_rotation(study):
    for seed in (1, 2):
        train(study, f"run{seed}", SHORT | {"transform": ROTATE}, seed)
    matrices = [load_classifier(study / f"run{seed}").transform.matrix for seed in (1, 2)]
    assert torch.equal(*matrices)
    np.testing.assert_allclose(matrices[0], rotation(4, 3), atol=1e-6)


@pytest.mark.parametrize("cutoff", [0.0, 0.25, 0.5, 1.0])
def test_a_low_pass_filter_is_that_of_scipys_dct_and_changes_nothing_the_second_time(cutoff):
    transform = {"kind": "low_pass", "cutoff": cutoff}
    model = build_classifier(described(3, transform=transform, grid=[64, 32]))
    x = np.random.default_rng(0).normal(size=(5, 3, 64, 32)).astype(np.float32)
    coefficients = dctn(x.astype(np.float64), axes=(2, 3), norm="ortho")
    u, v = np.ogrid[:64, :32]
    coefficients[..., u + v > cutoff * 94] = 0
    by_hand = idctn(coefficients, axes=(2, 3), norm="ortho")
    found = model.transform(torch.from_numpy(x))
    np.testing.assert_allclose(found, by_hand, atol=1e-5)
    np.testing.assert_allclose(model.transform(found), found, atol=1e-5)
    assert np.allclose(found, x, atol=1e-5) == (cutoff == 1)


@KINDS
def test_an_interrupted_run_ends_in_the_same_bytes(study, transform):
    recipe = SHORT | {"transform": transform}
    whole = train(study, "whole", recipe)
    interrupt(study, "resumed", recipe, epoch=2)
    assert train(study, "resumed", recipe) == whole
    plain = train(study, "plain", SHORT)
    assert all(plain[name] != whole[name] for name in whole)


@KINDS
def test_a_loaded_classifier_predicts_raw_latents_as_the_run_did(study, transform):
    train(study, "run", SHORT | {"transform": transform})
    card = read_json(study / "run" / "model.json")
    assert card["transform"] == card["trained_by"]["transform"] == transform
    model = load_classifier(study / "run")
    data = engine.load_fold(**inputs(study, LATENT))
    z = torch.from_numpy(stored(study)[data.split["test"]]).float().requires_grad_()
    predicted = engine.predict(model, data, "test")
    logits = model(z)
    np.testing.assert_allclose(logits.detach().softmax(1), predicted, atol=1e-6)
    by_hand = model.network(model.transform((z - model.mean) / model.std))
    assert torch.allclose(logits, by_hand)
    logits[:, 0].sum().backward()
    assert z.grad.abs().sum(dim=(0, 2, 3)).min() > 0
    write_json(card | {"transform": None}, study / "run" / "model.json")
    if transform["kind"] == "low_pass":  # its weights are those of a network alone
        assert not torch.allclose(load_classifier(study / "run")(z), logits)
    else:
        with pytest.raises(InputError, match=r"transform\.matrix is not part of the network"):
            load_classifier(study / "run")


def test_what_a_run_records_without_a_transform_has_no_trace_of_one(study):
    train(study, "run", SHORT)
    card = read_json(study / "run" / "model.json")
    assert "transform" not in card
    assert "transform" not in card["trained_by"]
    assert "transform" not in resolve_recipe(PUBLISHED, "matched").recorded()
    assert resolve_recipe(PUBLISHED, "whiten").recorded()["transform"] == WHITEN


@KINDS
def test_a_run_starts_from_one_with_the_same_transform_and_a_student_learns_from_one(study, transform):
    recipe = SHORT | {"transform": transform}
    logits = teach(study, "first", recipe)
    first = study / "first" / "model.safetensors"
    assert train(study, "second", recipe, start=first) != train(study, "fresh", recipe)
    train(study, "student", SHORT | {"distill": DISTILL}, teacher_logits=logits)
    model, other = load_classifier(study / "first"), load_classifier(study / "second")
    z = torch.from_numpy(stored(study)[:3])
    assert torch.equal(model.transform(model.normalise(z)), other.transform(other.normalise(z)))


def test_masking_and_noise_come_before_the_transform():
    model = build_classifier(described(4, transform=ROTATE)).eval()
    x, noise = images(2, 32, 4), images(2, 32, 4) - 0.5
    given = model.add_noise(x, torch.ones(2), noise)
    assert torch.allclose(model.logits(given), model.network(model.transform(x + noise)))


def refused(changes: dict, spaces=("latent",), message: str = "") -> None:
    config = published(recipes={"tried": {"base": "matched", "spaces": list(spaces)} | changes})
    with pytest.raises(InputError, match=message):
        check_recipe(config, "tried")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"transform": {"kind": "rotate"}}, r"^recipes\.tried\.transform has \['kind'\]; kind rotate has exactly"),
        ({"transform": WHITEN | {"seed": 1}}, r"^recipes\.tried\.transform has \['kind', 'seed'\]; kind whiten has"),
        ({"transform": LOW_PASS | {"kind": "whiten"}}, "kind whiten has exactly"),
        ({"transform": {"kind": "fourier"}}, r"^recipes\.tried\.transform\.kind is 'fourier'; expected whiten, rotate"),
        (
            {"transform": WHITEN, "noise": GRID},
            "whiten would change the size of the noise",
        ),
        ({"transform": WHITEN, "start_from": "matched"}, "matched has another transform; its weights do not fit"),
        ({"transform": ROTATE, "start_from": "rotate"}, "rotate has another transform"),
    ],
)
def test_a_transform_that_cannot_work_is_refused(changes, message):
    refused(changes, message=message)


@pytest.mark.parametrize("space", ["image", "reconstruction"])
def test_a_transform_is_of_latents(space):
    message = rf"^recipes\.tried\.transform: whiten is of normalised latents, not of {space} space"
    refused({"transform": WHITEN}, ["latent", space], message)


def test_the_recipes_of_remedies_are_the_matched_one_with_a_transform():
    matched = resolve_recipe(PUBLISHED, "matched")
    known = {"whiten": WHITEN, "rotate": {"kind": "rotate", "seed": 0}, "low_pass_50": LOW_PASS,
             "low_pass_25": {"kind": "low_pass", "cutoff": 0.25}}  # fmt: skip
    for name, transform in known.items():
        check_recipe(PUBLISHED, name)
        assert resolve_recipe(PUBLISHED, name) == replace(matched, transform=transform)


@pytest.mark.parametrize(
    ("transform", "operations"),
    [
        (WHITEN, 2 * 32 * 32 * 64 * 64),
        (ROTATE, 2 * 32 * 32 * 64 * 64),
        (LOW_PASS, 4 * 2 * 32 * 64**3),  # two matrices there, two back
    ],
)
def test_a_plan_counts_the_operations_of_a_transform(transform, operations):
    plain = resolve_recipe(PUBLISHED, "matched")
    changed = replace(plain, transform=transform)
    before, after = (classifier_operations(recipe, 32, 64, 8) for recipe in (plain, changed))
    assert (after[0] - before[0], after[1]) == (operations, before[1])
    assert torch.isfinite(build_classifier(described(2, transform=LOW_PASS)).transform.rows).all()  # kept, and no meta


def test_whitening_shows_a_probe_by_distances_what_a_strong_direction_hides(tmp_path):
    """The class is in the difference of channels that are otherwise alike; the probe is the nearest class mean."""
    folder = write_study(tmp_path)
    random, label = np.random.default_rng(0), pd.read_parquet(folder / "samples.parquet")["label"].to_numpy()
    latents = random.normal(0, 10, (100, 1, 8, 8)).mean(axis=(2, 3), keepdims=True) * 8
    latents = latents + random.normal(0, 0.1, (100, 4, 8, 8))
    latents[:, 0] += 0.3 * (label - 1)[:, None, None]
    latents = latents.astype(np.float32)
    write_arrays(folder, np.zeros((100, 16, 16, 3), np.uint8), latents)
    right = {}
    for transform in (WHITEN, ROTATE):
        train(folder, transform["kind"], SHORT | {"epochs": 1, "transform": transform})
        pooled = seen(folder / transform["kind"], latents).mean(axis=(2, 3))
        means = np.stack([pooled[TRAIN][label[TRAIN] == k].mean(axis=0) for k in range(3)])
        nearest = np.linalg.norm(pooled[:, None] - means, axis=2).argmin(axis=1)
        right[transform["kind"]] = (nearest == label)[np.setdiff1d(np.arange(100), TRAIN)].mean()
    assert right["whiten"] > 0.9
    assert right["rotate"] < 0.6
