"""Runs that build on other runs: a teacher's logits, written once, and weights to start from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from learnability.classifiers.classifier import build_classifier
from learnability.classifiers.saved import load_classifier, load_start
from learnability.errors import InputError
from learnability.storage.arrays import PackedWriter, open_packed
from learnability.storage.contracts import read_json, write_json
from learnability.training import engine as training
from learnability.training.evaluation import predict_logits
from learnability.training.fold_data import load_fold
from learnability.training.losses.distillation import Distillation
from tests.lights import TRAIN, inputs, interrupt, teach, train, write_study
from tests.recipes import DISTILL, IMAGE, LATENT, recipe_of

SHORT = {"epochs": 2}
STUDENT = LATENT | SHORT | {"distill": DISTILL}
NOISY = LATENT | SHORT | {"film": True, "noise": {"family": "edm", "draw": "grid"}, "init": "imagenet"}


@pytest.fixture(scope="module")
def taught(tmp_path_factory) -> Path:
    """A study with a teacher in image space, and its logits."""
    study = write_study(tmp_path_factory.mktemp("taught"))
    teach(study, "teacher", IMAGE | SHORT)
    return study


def rewrite(path: Path, rows: np.ndarray) -> Path:
    with PackedWriter(path, rows.shape[1:], rows.dtype.name) as file:
        file.write(rows)
    write_json({"digest": file.digest}, path.with_suffix(".json"))
    return path


def test_a_teachers_logits_are_those_of_the_training_rows_in_order_and_of_no_other(taught):
    logits = open_packed(taught / "teacher/teacher_logits.npy")
    assert (logits.shape, logits.dtype) == ((60, 3), np.float32)
    model = load_classifier(taught / "teacher")
    x = torch.from_numpy(np.array(open_packed(taught / "images_small.npy"))).permute(0, 3, 1, 2).float()  # all rows
    with torch.inference_mode():
        expected = model(x).numpy()
    np.testing.assert_allclose(logits, expected[TRAIN], atol=1e-5)
    nearest = np.abs(logits[:, None] - expected[None]).max(axis=2).argmin(axis=1)
    assert nearest.tolist() == TRAIN.tolist()  # the rows differ enough for this to mean something


def test_every_row_is_matched_with_its_own_logits_of_the_teacher(taught, monkeypatch):
    """Each row's logits are its number, so each batch must meet those of its own rows, in any order."""
    numbers = np.repeat(np.arange(60, dtype=np.float32)[:, None], 3, axis=1)
    path = rewrite(taught / "numbers/teacher_logits.npy", numbers)
    given = inputs(taught, STUDENT)
    latents = load_fold(**given).array
    seen = []

    def noted(model, x, label, epoch, loss, optimiser, recipe, soft):
        seen.extend((int(row), int(k), z) for row, k, z in zip(soft[:, 0], label, x.numpy(), strict=True))
        return torch.tensor(0.5)

    monkeypatch.setattr(training, "train_step", noted)
    train(taught, "numbered", STUDENT | {"epochs": 1}, teacher_logits=path)
    label = pd.read_parquet(taught / "samples.parquet")["label"].to_numpy()
    assert sorted(row for row, *_ in seen) == list(range(60))
    assert [row for row, *_ in seen] != list(range(60))
    for row, k, z in seen:
        assert k == label[TRAIN[row]]
        np.testing.assert_array_equal(z, latents[TRAIN[row]])


@pytest.mark.parametrize("shape", [(59, 3), (61, 3), (60, 2)])
def test_logits_of_other_rows_or_classes_are_refused(taught, shape, monkeypatch):
    path = rewrite(taught / "other/teacher_logits.npy", np.zeros(shape, np.float32))
    monkeypatch.setattr(training, "train_epoch", None)
    message = rf"logits of shape \({shape[0]}, {shape[1]}\), expected 60 training rows and 3 classes; delete it"
    with pytest.raises(InputError, match=message):
        train(taught, "refused", STUDENT, teacher_logits=path)
    assert not (taught / "refused").exists()


@pytest.mark.parametrize("kind", ["mse", "kl"])
def test_a_distilled_run_that_was_interrupted_ends_in_the_same_bytes(taught, kind):
    logits = taught / "teacher/teacher_logits.npy"
    recipe = STUDENT | {"epochs": 3, "distill": DISTILL | {"loss": kind}}
    whole = train(taught, f"whole_{kind}", recipe, teacher_logits=logits, teacher_scale=30.0)
    interrupt(taught, f"resumed_{kind}", recipe, epoch=2, teacher_logits=logits, teacher_scale=30.0)
    assert train(taught, f"resumed_{kind}", recipe, teacher_logits=logits, teacher_scale=30.0) == whole
    assert whole != train(taught, f"alone_{kind}", recipe | {"distill": None})


def test_the_scale_of_the_teacher_reaches_the_loss(taught, monkeypatch):
    scales, whole = [], Distillation.__init__

    def noted(self, supervised, distill, teacher_scale, student_scale):
        scales.append((teacher_scale, student_scale))
        whole(self, supervised, distill, teacher_scale, student_scale)

    monkeypatch.setattr(Distillation, "__init__", noted)
    logits = taught / "teacher/teacher_logits.npy"
    train(taught, "scaled", STUDENT | {"epochs": 1}, teacher_logits=logits, teacher_scale=7.0)
    assert scales == [(7.0, 30.0)]


def test_a_student_comes_nearer_to_its_teacher_than_one_without(taught):
    logits = taught / "teacher/teacher_logits.npy"
    teacher = torch.from_numpy(np.array(open_packed(logits)))
    distances = []
    for name, recipe in (("near", STUDENT | {"distill": DISTILL | {"hard_weight": 0}}), ("far", LATENT)):
        train(taught, name, recipe | {"epochs": 4}, teacher_logits=logits if recipe["distill"] else None)
        data = load_fold(**inputs(taught, recipe))
        distances.append(
            float((predict_logits(load_classifier(taught / name), data, "train") - teacher).square().mean())
        )
    assert distances[0] < distances[1] / 2


def test_another_teacher_is_another_run(taught, capsys):
    logits = taught / "teacher/teacher_logits.npy"
    other = rewrite(taught / "second/teacher_logits.npy", np.array(open_packed(logits)) + 1)
    interrupt(taught, "changed", STUDENT, epoch=2, teacher_logits=logits)
    fresh = train(taught, "fresh", STUDENT, teacher_logits=other)
    assert train(taught, "changed", STUDENT, teacher_logits=other) == fresh
    assert "left by another recipe, code, data, seed or kind of device; discarded" in capsys.readouterr().out


@pytest.fixture(scope="module")
def begun(taught) -> Path:
    """The study with a latent run, whose weights others start from."""
    train(taught, "begun", LATENT | SHORT)
    return taught / "begun/model.safetensors"


def untrained(study: Path, recipe: dict, start: Path | None) -> torch.nn.Module:
    """The classifier of a recipe as it is before its first step."""
    given = inputs(study, recipe)
    torch.manual_seed(1)
    model = build_classifier(
        training.describe_run(given["cell"], recipe_of(recipe), 1, load_fold(**given), given["inputs"])
    )
    if start:
        load_start(model, start)
    return model.eval()


def test_a_run_takes_every_weight_of_the_one_it_starts_from_and_leaves_film_fresh(taught, begun):
    started, fresh = untrained(taught, NOISY, begun).state_dict(), untrained(taught, NOISY, None).state_dict()
    taken = load_file(begun)
    for name, tensor in started.items():
        source = fresh if name.startswith("film.") else taken
        assert torch.equal(tensor, source[name]), name
    assert taken.keys() == {name for name in started if not name.startswith("film.")}
    assert any(not torch.equal(taken[name], fresh[name]) for name in taken)


def test_before_its_first_step_it_predicts_what_the_other_run_predicts(taught, begun, monkeypatch):
    monkeypatch.setattr(training, "train_step", lambda *_: torch.tensor(0.5))
    train(taught, "started", NOISY | {"epochs": 1}, start=begun)
    before, after = (pd.read_parquet(taught / run / "predictions.parquet") for run in ("begun", "started"))
    pd.testing.assert_frame_equal(before, after, check_exact=True)


def test_a_run_that_starts_from_another_resumes_to_the_same_bytes_and_not_from_that_of_another_start(
    taught, begun, capsys
):
    whole = train(taught, "from_begun", NOISY, start=begun)
    interrupt(taught, "again", NOISY, epoch=2, start=begun)
    assert train(taught, "again", NOISY, start=begun) == whole
    train(taught, "other", LATENT | SHORT, seed=5)
    interrupt(taught, "anew", NOISY, epoch=2, start=begun)
    capsys.readouterr()
    changed = train(taught, "anew", NOISY, start=taught / "other/model.safetensors")
    assert "left by another recipe, code, data, seed or kind of device; discarded" in capsys.readouterr().out
    assert changed["model.safetensors"] != whole["model.safetensors"]


def test_what_starts_from_a_conditioned_run_takes_its_conditioning_too(taught, begun):
    train(taught, "conditioned", NOISY, start=begun)
    path = taught / "conditioned/model.safetensors"
    started, taken = untrained(taught, NOISY, path).state_dict(), load_file(path)
    assert started.keys() == taken.keys()
    assert all(torch.equal(started[name], taken[name]) for name in taken)


def test_weights_of_another_network_are_refused_before_training(taught, begun, monkeypatch):
    monkeypatch.setattr(training, "train_epoch", None)
    wider = LATENT | {"model_options": LATENT["model_options"] | {"dims": [8, 16, 16, 32]}}
    with pytest.raises(
        InputError, match=r"model\.safetensors: not weights of the same network .*give both recipes one"
    ):
        train(taught, "wider", wider, start=begun)


def test_the_card_of_a_run_names_the_recipe_it_was_trained_by(taught, begun):
    card = read_json(begun.with_name("model.json"))
    assert card["trained_by"] == LATENT | SHORT
    assert (
        replace(inputs(taught, LATENT)["inputs"], start=begun).identity() != inputs(taught, LATENT)["inputs"].identity()
    )
