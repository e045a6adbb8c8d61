"""Probabilities in few bytes: what the rounding may change, and what it may not."""

import numpy as np
import pandas as pd
import pytest

from docs.measurements.rows import AUC_MAY_DIFFER, STEPS, as_probabilities, as_steps, step_of, unlike
from learnability.errors import InputError
from learnability.training.metrics import area_under_curve, balanced_accuracy, matthews_correlation

CARD = {"classes": ["a", "b", "c"], "positive": None}


def test_the_most_probable_class_stays_so_even_where_rounding_makes_others_equal():
    rng = np.random.default_rng(0)
    near = 1 / 3 + rng.normal(0, 1e-6, (300, 3))
    logit = rng.normal(0, 400, (100, 3))
    sharp = np.exp(logit - logit.max(axis=1, keepdims=True))
    tied = np.tile([0.25, 0.25, 0.5, 0.0], (2, 1))[:, :3]
    for probability in (near, sharp, tied, np.array([[0.2, 0.4, 0.4], [0.4, 0.2, 0.4]])):
        p = probability / probability.sum(axis=1, keepdims=True)
        for step in STEPS:
            found = as_probabilities(as_steps(p, step), step)
            assert (found.argmax(axis=1) == p.argmax(axis=1)).all()
            assert found.sum(axis=1) == pytest.approx(1, abs=1e-12)


def test_the_relative_error_of_odds_is_half_a_step():
    odds = np.exp(np.random.default_rng(1).normal(0, 2, (500, 4)))
    p = odds / odds.sum(axis=1, keepdims=True)
    found = as_probabilities(as_steps(p, 0.01), 0.01)
    error = np.log(found[:, :-1] / found[:, -1:]) - np.log(p[:, :-1] / p[:, -1:])
    assert 0.0045 < np.quantile(np.abs(error), 0.98) < 0.00501  # but where the most probable class needs a step more
    assert np.abs(error).max() < 0.016


def run_of(label, probability):
    best = probability.argmax(axis=1)
    scores = {"balanced_accuracy": balanced_accuracy(label, best), "mcc": matthews_correlation(label, best)}
    return scores | {"auc": area_under_curve(label, probability)[0]}


def test_the_step_is_the_coarsest_that_keeps_auc_within_its_limit(tmp_path):
    rng = np.random.default_rng(2)
    label = rng.integers(0, 3, 2000)
    for spread, coarse in ((1.0, True), (0.003, False)):
        odds = np.exp(spread * (rng.normal(size=(2000, 3)) + 0.5 * np.eye(3)[label]))
        p = odds / odds.sum(axis=1, keepdims=True)
        test, run = pd.DataFrame(p, columns=CARD["classes"]).assign(label=label), run_of(label, p)
        step = step_of(test, run, CARD, tmp_path)
        assert (step == STEPS[0]) is coarse
        rounded = as_probabilities(as_steps(p, step), step)
        assert abs(area_under_curve(label, rounded)[0] - run["auc"]) <= AUC_MAY_DIFFER
        if not coarse:
            before = STEPS[STEPS.index(step) - 1]
            assert unlike(label, as_probabilities(as_steps(p, before), before), run, CARD).startswith("auc")
    with pytest.raises(InputError, match="scores are not those of"):
        step_of(test, run | {"mcc": 0.5}, CARD, tmp_path / "predictions.parquet")
