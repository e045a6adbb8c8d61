"""No test row reaches a training, a teacher, a search or an early stop: other test rows change nothing in them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from learnability.errors import InputError
from learnability.storage.arrays import open_packed
from learnability.storage.contracts import read_json, split_rows, write_json, write_parquet
from learnability.training import engine as training
from learnability.training import fold_data
from learnability.training.tuning import search_recipe
from tests.lights import CLASSES, TEST, inputs, teach, train, write_arrays, write_study
from tests.recipes import DISTILL, IMAGE, LATENT, recipe_of

SHORT = {"epochs": 3}  # one of them after the switch of the loss
SEARCH = {
    "space": {
        "lr": {"low": 1e-3, "high": 1e-2, "log": True},
        "mask": {"choices": [0.0, 0.2]},
        "distill.hard_weight": {"low": 0.3, "high": 0.7},
    },
    "trials": 3,
    "workers": 1,
    "scope": "fold",
}
GRID = {"space": {"lr": {"choices": [1e-3, 1e-2]}}, "trials": 2, "workers": 1, "scope": "fold"}
NOISY = {"film": True, "noise": {"family": "edm", "draw": "grid", "scale_input": False}}
CHOSEN = ("values", "validation_balanced_accuracy", "trial")


def poison(study: Path) -> None:
    """Give the test rows other images, latents that are no numbers, and other labels; every class stays there."""
    images, latents = (np.array(open_packed(study / f"{name}.npy")) for name in ("images_small", "latents"))
    images[TEST] = np.random.default_rng(7).integers(0, 256, images[TEST].shape, dtype=np.uint8)
    latents[TEST] = np.nan
    write_arrays(study, images, latents)
    samples = pd.read_parquet(study / "samples.parquet")
    samples.loc[TEST, "label"] = (samples.loc[TEST, "label"] + 1) % 3
    samples["label_name"] = [CLASSES[k] for k in samples["label"]]
    write_parquet(samples, study / "samples.parquet")


def learnt(study: Path, folder: str) -> dict[str, bytes]:
    """What a run has learnt, and the history by which it stopped, as bytes."""
    return {name: (study / folder / name).read_bytes() for name in ("model.safetensors", "history.csv")}


def search(study: Path, recipe: dict, folder: str = "search", **files) -> dict:
    """Search, and leave best.json."""
    given = inputs(study, recipe)
    given["inputs"] = replace(given["inputs"], **files)
    found = search_recipe(recipe=recipe_of(recipe), seed=1, code="code", folder=study / folder, worker=0, **given)
    write_json(found, study / folder / "best.json")
    return found


def everything(study: Path) -> dict:
    """Run each kind of recipe, each row of Table 4 on top of the one before it; return what came out of training."""
    teacher = {"teacher_logits": teach(study, "image", IMAGE | SHORT), "teacher_scale": 30.0}
    latent, distilled = LATENT | SHORT, LATENT | SHORT | {"distill": DISTILL}
    train(study, "latent", latent)
    train(study, "distilled", distilled, **teacher)
    train(study, "distilled_kl", distilled | {"distill": DISTILL | {"loss": "kl"}}, **teacher)
    tuned = distilled | {"search": SEARCH}
    found = search(study, tuned, **teacher)
    train(
        study,
        "tuned",
        recipe_of(tuned).with_values(read_json(study / "search/best.json")["values"]).values(),
        **teacher,
    )
    of_images = search(study, IMAGE | SHORT | {"search": GRID}, "search_images")
    train(study, "noise_conditioned", latent | NOISY, start=study / "tuned/model.safetensors")
    runs = ("image", "latent", "distilled", "distilled_kl", "tuned", "noise_conditioned")
    return {run: learnt(study, run) for run in runs} | {
        "teacher_logits": teacher["teacher_logits"].read_bytes(),
        "best": {key: found[key] for key in CHOSEN},
        "best_of_images": {key: of_images[key] for key in CHOSEN},
    }


@pytest.fixture(scope="module")
def unscored():
    """Trainings whose test rows are not judged at the end: latents that are no numbers have no scores."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "write_predictions", lambda model, data, path, best: path.touch())
        patch.setattr(training, "score_file", lambda path, card: {})
        yield


@pytest.fixture(scope="module")
def clean(tmp_path_factory, unscored) -> dict:
    return everything(write_study(tmp_path_factory.mktemp("clean")))


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory, unscored) -> dict:
    study = write_study(tmp_path_factory.mktemp("poisoned"))
    poison(study)
    return everything(study)


@pytest.mark.parametrize("run", ["image", "latent", "distilled", "distilled_kl", "tuned", "noise_conditioned"])
def test_other_test_rows_change_no_weight_and_no_epoch(clean, poisoned, run):
    assert poisoned[run] == clean[run]


def test_other_test_rows_change_no_logit_of_a_teacher(clean, poisoned):
    assert poisoned["teacher_logits"] == clean["teacher_logits"]


def test_other_test_rows_change_nothing_that_a_search_finds(clean, poisoned):
    for found in ("best", "best_of_images"):
        assert poisoned[found] == clean[found]
        assert clean[found]["validation_balanced_accuracy"] > 0


def test_the_runs_differ_from_each_other(clean):
    weights = [clean[run]["model.safetensors"] for run in ("latent", "distilled", "distilled_kl", "tuned")]
    assert len(set(weights)) == 4


@pytest.mark.parametrize("leak", ["train", "validation"])
def test_test_rows_among_those_that_train_or_choose_would_be_seen(tmp_path, unscored, monkeypatch, leak):
    """The tests above can fail: a split that leaks gives another history, or latents that the loss refuses."""

    def leaking(fold, k, n_splits):
        split = split_rows(fold, k, n_splits)
        return split | {leak: np.sort(np.append(split[leak], split["test"]))}

    monkeypatch.setattr(fold_data, "split_rows", leaking)
    study = write_study(tmp_path)
    train(study, "clean", IMAGE | SHORT)
    train(study, "latent", LATENT | SHORT)
    poison(study)
    train(study, "poisoned", IMAGE | SHORT)
    assert learnt(study, "poisoned") != learnt(study, "clean")
    if leak == "train":
        with pytest.raises(InputError, match="the loss of epoch 1 is nan"):
            train(study, "latent", LATENT | SHORT)
