"""The search of a recipe: its trials are trainings, and it ends as if nothing had disturbed it."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import torch

from learnability.errors import InputError
from learnability.storage import checkpoints
from learnability.training import engine as training
from learnability.training.tuning import search_recipe
from tests.lights import inputs, train, write_study
from tests.recipes import IMAGE, LATENT, recipe_of

pytestmark = pytest.mark.usefixtures("one_thread")
SPACE = {"lr": {"low": 1e-3, "high": 1e-2, "log": True}, "mask": {"choices": [0.0, 0.2]}}
SEARCH = {"space": SPACE, "trials": 3, "workers": 1, "scope": "fold"}
RECIPE = LATENT | {"epochs": 3, "search": SEARCH}


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    return write_study(tmp_path_factory.mktemp("study"))


def search(study: Path, folder: str, recipe: dict = RECIPE, search: dict = SEARCH, worker: int = 0, seed: int = 1):
    return search_recipe(
        recipe=recipe_of(recipe, search=search),
        seed=seed,
        code="code",
        folder=study / folder,
        worker=worker,
        **inputs(study, recipe),
    )


@pytest.fixture(scope="module")
def undisturbed(study) -> dict:
    return search(study, "undisturbed")


def stop_at(patch, call: int) -> None:
    """End the process, as a kill would, when the `call`-th epoch of a search begins (from 1)."""
    whole, calls = training.train_epoch, []

    def stopped(*arguments):
        calls.append(1)
        if len(calls) == call:
            raise KeyboardInterrupt
        return whole(*arguments)

    patch.setattr(checkpoints, "SECONDS_BETWEEN_EPOCHS", 0)  # so that every epoch is saved
    patch.setattr(training, "train_epoch", stopped)


def epochs_of(capsys) -> int:
    """How many epochs were trained since the last call."""
    return len(re.findall("^epoch ", capsys.readouterr().out, flags=re.MULTILINE))


def test_best_names_the_run_the_values_and_how_they_were_found(study, undisturbed):
    of_run = {"dataset": "lights", "autoencoder": "grey", "space": "latent", "recipe": "tried", "fold": 1}
    how = {"searched_space": SPACE, "scope": "fold", "trials": 3}
    assert undisturbed.items() >= (of_run | how).items()
    assert undisturbed.keys() - (of_run | how) == {"values", "validation_balanced_accuracy", "trial"}
    assert undisturbed["trial"] in range(3)


def test_the_score_of_the_best_is_that_of_a_training_with_its_values(study, undisturbed):
    recipe = recipe_of(RECIPE).with_values(undisturbed["values"])
    assert 1e-3 <= recipe.lr <= 1e-2
    assert recipe.mask in (0.0, 0.2)
    train(study, "chosen", recipe.values())
    history = pd.read_csv(study / "chosen/history.csv")
    assert history["validation_balanced_accuracy"].max() == pytest.approx(undisturbed["validation_balanced_accuracy"])


def test_a_run_takes_the_values_of_its_search(undisturbed):
    taken = recipe_of(RECIPE).with_values(undisturbed["values"]).values()
    assert {key: taken[key] for key in SPACE} == undisturbed["values"]
    assert {key: taken[key] for key in taken.keys() - SPACE.keys()} == {
        key: RECIPE[key] for key in RECIPE.keys() - SPACE.keys()
    }


def test_the_search_leaves_its_journal_and_no_checkpoint(study, undisturbed):
    assert [path.name for path in (study / "undisturbed").iterdir()] == ["journal.log"]


@pytest.mark.parametrize("call", [1, 2, 5, 6, 9], ids=lambda call: f"epoch {call} of 9")
def test_a_search_that_was_killed_in_a_trial_ends_as_an_undisturbed_one(study, undisturbed, call, capsys):
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, call)
        with pytest.raises(KeyboardInterrupt):
            search(study, f"killed{call}")
    assert epochs_of(capsys) == call - 1
    assert search(study, f"killed{call}") == undisturbed
    assert epochs_of(capsys) == 9 - (call - 1)  # none was trained twice
    assert sorted(path.name for path in (study / f"killed{call}").iterdir()) == ["journal.log"]


def test_a_search_of_more_trials_goes_on_with_those_that_are_done(study, capsys):
    search(study, "grown", search=SEARCH | {"trials": 2})
    capsys.readouterr()
    more = search(study, "grown")
    assert more == search(study, "undisturbed")
    assert "trial 2 of 3" in capsys.readouterr().out


RATES = [1e-4, 1e-3, 1e-2]
GRID = {"space": {"lr": {"choices": RATES}}, "trials": 3, "workers": 1, "scope": "fold"}
IN_IMAGES = IMAGE | {"epochs": 3, "search": GRID}


def test_a_grid_in_image_space_takes_the_value_that_is_best_on_validation_rows(study):
    found = search(study, "grid", IN_IMAGES, GRID)
    assert (found["space"], found["autoencoder"], found["trials"]) == ("image", "original", 3)
    scores = []
    for rate in RATES:
        train(study, f"rate{rate}", recipe_of(IN_IMAGES).with_values({"lr": rate}).values())
        scores.append(pd.read_csv(study / f"rate{rate}/history.csv")["validation_balanced_accuracy"].max())
    assert len(set(scores)) > 1
    assert found["values"] == {"lr": RATES[scores.index(max(scores))]}
    assert found["validation_balanced_accuracy"] == pytest.approx(max(scores))


@pytest.mark.parametrize("call", [4, 6])
def test_a_grid_that_was_killed_ends_as_an_undisturbed_one(study, call, capsys):
    whole = search(study, "whole_grid", IN_IMAGES, GRID)
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, call)
        with pytest.raises(KeyboardInterrupt):
            search(study, f"killed_grid{call}", IN_IMAGES, GRID)
    capsys.readouterr()
    assert search(study, f"killed_grid{call}", IN_IMAGES, GRID) == whole
    assert epochs_of(capsys) == 9 - (call - 1)


def test_a_grid_does_not_go_on_with_trials_that_were_drawn(study, capsys):
    search(study, "drawn", IN_IMAGES, GRID | {"trials": 2})
    capsys.readouterr()
    search(study, "drawn", IN_IMAGES, GRID)
    out = capsys.readouterr().out
    assert "discarded" in out
    assert re.findall(r"^trial \d of 3: (lr \S+):", out, flags=re.MULTILINE) == ["lr 0.0001", "lr 0.001", "lr 0.01"]


def test_a_worker_above_0_only_helps(study, capsys):
    shared = SEARCH | {"workers": 2}
    assert search(study, "shared", search=shared, worker=1) == {"worker": 1}
    assert "trial 2 of 3" in capsys.readouterr().out
    found = search(study, "shared", search=shared, worker=0)
    assert epochs_of(capsys) == 0
    assert found["trials"] == 3


@pytest.mark.parametrize("changes", [{"seed": 2}, {"recipe": RECIPE | {"weight_decay": 0.1}}], ids=["seed", "recipe"])
def test_another_recipe_or_seed_is_another_search(study, undisturbed, changes, capsys):
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, 5)
        with pytest.raises(KeyboardInterrupt):
            search(study, "other")
    search(study, "other", **changes)
    assert "left by a search of another space, recipe, code, data or seed; discarded" in capsys.readouterr().out


def test_two_folds_draw_other_values(study, undisturbed):
    search(study, "fold_of_seed_2", seed=2)
    journals = [
        [json.loads(line).get("params") for line in (study / name / "journal.log").read_text().splitlines()]
        for name in ("undisturbed", "fold_of_seed_2")
    ]
    first, second = ([values for values in journal if values] for journal in journals)
    assert not [values for values in first if values in second]


def test_values_with_which_a_training_fails_are_named(study):
    wild = SEARCH | {"space": {"lr": {"choices": [1e30]}}}
    with pytest.raises(InputError, match=r"wild: trial 0 \(lr 1e\+30\): the loss of epoch \d is (nan|inf)"):
        search(study, "wild", search=wild)
