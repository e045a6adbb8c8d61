"""A training under a budget of seconds, on a clock that ticks once a step."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from learnability.storage.contracts import read_json
from learnability.training import engine as training
from tests.lights import interrupt, train, write_study
from tests.recipes import LATENT

RECIPE = LATENT | {"epochs": 100, "patience": 100}  # 60 training rows in batches of 16: four steps an epoch


class Clock:
    """A clock that moves only by one second in each training step; it notes each batch's size and loss."""

    def __init__(self, monkeypatch, start: float = 0.0):
        self.now, self.batches, step = start, [], training.train_step

        def ticking(model, x, *rest):
            loss = step(model, x, *rest)
            self.now += 1
            self.batches.append((len(x), float(loss)))
            return loss

        monkeypatch.setattr(training, "train_step", ticking)
        monkeypatch.setattr(training, "time", SimpleNamespace(perf_counter=lambda: self.now))


@pytest.fixture
def study(tmp_path) -> Path:
    return write_study(tmp_path)


@pytest.fixture
def clock(monkeypatch) -> Clock:
    return Clock(monkeypatch)


def test_a_run_ends_by_its_budget_in_the_middle_of_an_epoch(study, clock):
    train(study, "run", RECIPE | {"budget_seconds": 6})
    assert [size for size, _ in clock.batches] == [16, 16, 16, 12, 16, 16]
    history = pd.read_csv(study / "run/history.csv")
    assert history["epoch"].tolist() == [1, 2]
    metrics = read_json(study / "run/metrics.json")
    assert metrics["epochs"] == 2
    assert metrics["train_samples_per_second"] == pytest.approx((60 + 32) / 6)
    for epoch, part in ((1, clock.batches[:4]), (2, clock.batches[4:])):  # the mean is over the samples seen
        sizes, losses = zip(*part, strict=True)
        assert history["train_loss"][epoch - 1] == pytest.approx(np.average(losses, weights=sizes), rel=1e-5)


@pytest.mark.parametrize("budget", [0.001, 1])
def test_however_small_the_budget_there_is_one_step(study, clock, budget):
    train(study, "run", RECIPE | {"budget_seconds": budget})
    assert [size for size, _ in clock.batches] == [16]
    assert read_json(study / "run/metrics.json")["epochs"] == 1


def test_a_budget_that_ends_with_an_epoch_begins_no_other(study, clock):
    train(study, "run", RECIPE | {"budget_seconds": 8})
    assert len(clock.batches) == 8
    assert len(pd.read_csv(study / "run/history.csv")) == 2


def test_the_last_epoch_ends_a_run_whose_budget_is_not_spent(study, clock):
    whole = train(study, "whole", RECIPE | {"epochs": 2, "budget_seconds": 1000})
    assert len(clock.batches) == 8
    assert train(study, "free", RECIPE | {"epochs": 2}) == whole  # the budget itself changes no number


@pytest.mark.parametrize("epoch", [2, 3])
def test_what_an_interrupted_run_has_spent_counts(study, monkeypatch, epoch):
    recipe = RECIPE | {"budget_seconds": 10}
    whole_clock = Clock(monkeypatch)
    whole = train(study, "whole", recipe)
    assert len(whole_clock.batches) == 10
    monkeypatch.undo()
    with pytest.MonkeyPatch.context() as patch:
        first = Clock(patch, start=500.0)
        interrupt(study, "resumed", recipe, epoch=epoch)
    with pytest.MonkeyPatch.context() as patch:
        second = Clock(patch, start=3.0)  # another machine, another clock
        assert train(study, "resumed", recipe) == whole
    assert (len(first.batches), len(second.batches)) == (4 * (epoch - 1), 10 - 4 * (epoch - 1))


def test_a_run_that_was_killed_after_its_budget_trains_no_further(study, monkeypatch):
    recipe = RECIPE | {"budget_seconds": 8}
    with pytest.MonkeyPatch.context() as patch:
        Clock(patch)
        patch.setattr(training, "write_predictions", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train(study, "run", recipe)
    clock = Clock(monkeypatch)
    train(study, "run", recipe)
    assert clock.batches == []
    metrics = read_json(study / "run/metrics.json")
    assert (metrics["epochs"], metrics["train_samples_per_second"]) == (2, 0)


def test_validation_counts_as_spent_and_not_as_training(study, clock, monkeypatch):
    whole = training.predict

    def slow(*arguments):
        clock.now += 3
        return whole(*arguments)

    monkeypatch.setattr(training, "predict", slow)
    train(study, "run", RECIPE | {"budget_seconds": 9})  # 4 steps and 3 s, then two steps
    assert len(clock.batches) == 6
    assert read_json(study / "run/metrics.json")["train_samples_per_second"] == pytest.approx((60 + 32) / 6)
