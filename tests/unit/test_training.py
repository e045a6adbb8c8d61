"""The training engine: a resumed or repeated run gives the same bytes, and early stopping keeps its rules."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from learnability.errors import InputError
from learnability.storage.batches import Rows
from learnability.storage.contracts import write_parquet
from learnability.training import engine as training
from tests.lights import CLASSES, RESULTS, TRAIN, VALIDATION, inputs, interrupt, train, write_study
from tests.recipes import IMAGE, LATENT, recipe_of

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def study(tmp_path) -> Path:
    return write_study(tmp_path)


@pytest.mark.parametrize("recipe", [IMAGE, LATENT], ids=["image", "latent"])
def test_an_interrupted_run_ends_in_the_same_bytes_as_one_without_interruption(study, recipe, capsys):
    whole = train(study, "whole", recipe)
    interrupt(study, "resumed", recipe, epoch=2)  # before the switch of the loss
    interrupt(study, "resumed", recipe, epoch=4)  # after it
    assert "resumed after epoch 1\n" in capsys.readouterr().out
    resumed = train(study, "resumed", recipe)
    assert "resumed after epoch 3\n" in capsys.readouterr().out
    for name in RESULTS:
        assert resumed[name] == whole[name], name
    assert not (study / "resumed" / "checkpoint.safetensors").exists()


def test_the_same_seed_repeats_a_run_to_the_byte_and_another_does_not(study):
    recipe = LATENT | {"epochs": 2}
    first, second, other = (train(study, f"run{i}", recipe, seed) for i, seed in enumerate((1, 1, 2)))
    assert first == second
    assert all(first[name] != other[name] for name in RESULTS)


def test_every_epoch_sees_each_training_row_once_in_an_order_of_its_own(study, monkeypatch):
    whole, orders = Rows.batches, []

    def noted(rows, order, batch_size):
        orders.append(order.tolist())
        return whole(rows, order, batch_size)

    monkeypatch.setattr(Rows, "batches", noted)
    train(study, "run", LATENT | {"epochs": 2})
    first, second = orders[0], orders[2]  # between and after them, validation
    assert sorted(first) == sorted(second) == TRAIN.tolist()
    assert first != second != TRAIN.tolist()
    assert orders[1] == orders[3] == VALIDATION.tolist()


def test_a_checkpoint_of_another_run_is_discarded(study, capsys):
    recipe = LATENT | {"epochs": 2}
    checkpoint = interrupt(study, "run", recipe, epoch=2)
    kept = checkpoint.read_bytes()
    fresh = train(study, "fresh", recipe, seed=2)
    assert train(study, "run", recipe, seed=2) == fresh
    assert "left by another recipe, code, data, seed or kind of device; discarded" in capsys.readouterr().out
    checkpoint.write_bytes(kept)
    train(study, "run", recipe | {"lr": 1e-3})
    assert "discarded" in capsys.readouterr().out
    samples = pd.read_parquet(study / "samples.parquet")
    samples.loc[[0, 3], ["label", "label_name"]] = samples.loc[[3, 0], ["label", "label_name"]].to_numpy()
    write_parquet(samples, study / "samples.parquet")  # the same images and folds, two labels exchanged
    checkpoint.write_bytes(kept)
    train(study, "run", recipe)
    assert "discarded" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "goes_on"), [({}, True), ({"budget_seconds": 900}, False)], ids=["without a budget", "by a budget"]
)
def test_a_checkpoint_of_another_device_is_discarded_where_that_decides_the_result(
    study, capsys, monkeypatch, changes, goes_on
):
    """A CPU computes in another precision than a GPU, and what a budget buys depends on the card too."""
    recipe = LATENT | {"epochs": 2} | changes
    gpu = SimpleNamespace(type="cuda")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: device.name)
    kinds = training.kind_of_device
    for name, other in (("NVIDIA A", torch.device("cpu")), ("NVIDIA A", SimpleNamespace(type="cuda", name="NVIDIA B"))):
        gpu.name = name
        monkeypatch.setattr(training, "kind_of_device", lambda device, recipe: kinds(gpu, recipe))
        interrupt(study, f"on {other.type}", recipe, epoch=2)
        monkeypatch.setattr(training, "kind_of_device", lambda device, recipe, other=other: kinds(other, recipe))
        capsys.readouterr()
        train(study, f"on {other.type}", recipe)
        said = capsys.readouterr().out
        assert ("seed or kind of device; discarded" in said) == (other.type == "cpu" or not goes_on)


def test_a_broken_checkpoint_is_discarded(study, capsys):
    recipe = LATENT | {"epochs": 2}
    fresh = train(study, "fresh", recipe)
    checkpoint = interrupt(study, "run", recipe, epoch=2)
    content = checkpoint.read_bytes()
    for broken in (content[: len(content) // 2], content[:50], b"", b"not a checkpoint at all"):
        checkpoint.write_bytes(broken)
        assert train(study, "run", recipe) == fresh
        assert "discarded" in capsys.readouterr().out


def scripted(monkeypatch, study: Path, scores: list[float], **changes) -> tuple[list, list, torch.Tensor]:
    """Run fit with the given validation scores, each epoch writing its number into the model's weights."""
    values, rates = LATENT | {"epochs": len(scores)} | changes, []
    recipe = recipe_of(values)

    def train_epoch(model, data, recipe, seed, epoch, loss, optimiser, deadline, checkpointer):
        next(model.parameters()).data.fill_(epoch)
        rates.append(optimiser.param_groups[0]["lr"])
        return 0.5, 1

    given = inputs(study, values)
    data = training.load_fold(**given)
    model = training.build_classifier(training.describe_run(given["cell"], recipe, 0, data, given["inputs"]))
    left = iter(scores)
    monkeypatch.setattr(training, "train_epoch", train_epoch)
    monkeypatch.setattr(training, "predict", lambda *_: np.zeros((1, 3)))
    monkeypatch.setattr(training, "balanced_accuracy", lambda *_: next(left))
    history, *_ = training.fit(model, data, recipe, 0, "me", study / "checkpoint.safetensors", None)
    return history, rates, next(model.parameters())


def test_training_stops_when_the_epochs_without_gain_exceed_patience(monkeypatch, study):
    history, _, weight = scripted(monkeypatch, study, [0.4, 0.5, 0.3, 0.3, 0.3, 0.9], patience=2, loss="cross_entropy")
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5]
    assert [row["validation_balanced_accuracy"] for row in history] == [0.4, 0.5, 0.3, 0.3, 0.3]
    assert (weight == 2).all()


def test_a_tie_is_no_gain_and_keeps_the_earlier_epoch(monkeypatch, study):
    history, _, weight = scripted(monkeypatch, study, [0.4, 0.5, 0.5, 0.5, 0.9], patience=1, loss="cross_entropy")
    assert len(history) == 4
    assert (weight == 2).all()


def test_the_switch_resets_patience_and_multiplies_the_rate(monkeypatch, study):
    drw = {"after_epoch": 3, "lr_factor": 0.1, "reset_patience": True, "beta": 0.99}
    scores = [0.5] + [0.4] * 9
    history, rates, _ = scripted(monkeypatch, study, scores, patience=2, lr=1e-3, drw=drw)
    assert len(history) == 6
    assert rates == [row["lr"] for row in history] == [1e-3] * 3 + [1e-3 * 0.1] * 3
    (study / "checkpoint.safetensors").unlink()
    history, rates, _ = scripted(monkeypatch, study, scores, patience=2, lr=1e-3, drw=drw | {"reset_patience": False})
    assert rates == [1e-3] * 3 + [1e-3 * 0.1]


def test_a_run_whose_patience_ran_out_before_it_was_killed_trains_no_further(monkeypatch, study):
    scores = [0.5, 0.4, 0.4, 0.9]
    history, _, _ = scripted(monkeypatch, study, scores, patience=1, loss="cross_entropy")
    again, rates, weight = scripted(monkeypatch, study, scores, patience=1, loss="cross_entropy")
    assert again == history
    assert rates == []
    assert (weight == 1).all()


def relabel(study: Path, rows: np.ndarray, label: int) -> None:
    """Give some images another label."""
    samples = pd.read_parquet(study / "samples.parquet")
    samples.loc[rows, ["label", "label_name"]] = [label, CLASSES[label]]
    write_parquet(samples, study / "samples.parquet")


@pytest.mark.parametrize(("rows", "name"), [(TRAIN, "train"), (VALIDATION, "validation")])
def test_rows_of_one_class_alone_are_refused_before_training(study, monkeypatch, rows, name):
    relabel(study, rows, 1)
    monkeypatch.setattr(training, "train_epoch", None)
    with pytest.raises(InputError, match=f"fold 1 has {name} rows of one class alone, odd; use fewer folds"):
        train(study, "one_class", IMAGE)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (TRAIN, "no train rows of rare: they cannot be learned; margins and class weights are of the other classes\n"),
        (VALIDATION, "no validation rows of rare: epochs, and the values of a search, are chosen by the other"),
        (np.arange(1, 100, 5), "no test rows of rare: the scores are over the other classes\n"),
    ],
)
def test_a_class_that_a_fold_lacks_is_said_and_the_others_train_as_without_it(study, capsys, rows, said):
    labels = pd.read_parquet(study / "samples.parquet")["label"].to_numpy()
    relabel(study, rows[labels[rows] == 2], 1)
    train(study, "absent", IMAGE | {"epochs": 1})
    out = capsys.readouterr().out
    assert out.count(said) == 1
    assert out.count("rows of rare") == 1


def test_a_test_fold_of_one_class_is_refused_before_training(study, monkeypatch):
    samples = pd.read_parquet(study / "samples.parquet")
    samples.loc[samples.index % 5 == 1, ["label", "label_name"]] = [0, CLASSES[0]]  # the rows that fold 1 tests on
    write_parquet(samples, study / "samples.parquet")
    monkeypatch.setattr(training, "train_epoch", None)
    with pytest.raises(InputError, match="fold 1: its test rows hold no class with both positives and negatives"):
        train(study, "one_class", IMAGE)
    assert not (study / "one_class").exists()
