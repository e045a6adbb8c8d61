"""Balanced accuracy, Matthews correlation and macro AUC against scikit-learn."""

import warnings

import numpy as np
import pytest
from sklearn import metrics as reference

from learnability.training.metrics import area_under_curve, balanced_accuracy, binary_auc, matthews_correlation


def random_fold(seed: int, n: int = 200, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Labels of unequal frequency, and probabilities that know a little about them; coarse, so that ties abound."""
    random = np.random.default_rng(seed)
    label = random.choice(classes, n, p=np.arange(1, classes + 1) / sum(range(1, classes + 1)))
    score = np.round(random.random((n, classes)) + 0.4 * np.eye(classes)[label], 1) + 0.1
    return label, score / score.sum(axis=1, keepdims=True)


def test_balanced_accuracy_and_mcc_equal_those_of_scikit_learn():
    for seed in range(10):
        label, probability = random_fold(seed)
        predicted = probability.argmax(axis=1)
        expected = reference.balanced_accuracy_score(label, predicted)
        assert balanced_accuracy(label, predicted) == pytest.approx(expected, abs=1e-12)
        expected = reference.matthews_corrcoef(label, predicted)
        assert matthews_correlation(label, predicted) == pytest.approx(expected, abs=1e-12)


def test_macro_auc_equals_that_of_scikit_learn():
    for seed in range(10):
        label, probability = random_fold(seed)
        expected = reference.roc_auc_score(label, probability, multi_class="ovr", average="macro")
        auc, used = area_under_curve(label, probability)
        assert auc == pytest.approx(expected, abs=1e-12)
        assert used == 5


def test_auc_gives_half_a_point_for_a_tie():
    positive = np.array([True, True, False, False])
    assert binary_auc(positive, np.array([0.9, 0.5, 0.5, 0.1])) == 3.5 / 4
    assert binary_auc(positive, np.full(4, 0.3)) == 0.5
    random = np.random.default_rng(0)
    positive, score = random.random(500) < 0.2, random.integers(0, 6, 500)
    assert binary_auc(positive, score) == pytest.approx(reference.roc_auc_score(positive, score), abs=1e-12)


def test_a_class_absent_from_the_test_fold_is_left_out_of_every_mean():
    label, probability = random_fold(3)
    kept = label != 1
    label, probability = label[kept], probability[kept]
    predicted = probability.argmax(axis=1)
    assert 1 in predicted
    each = [reference.roc_auc_score(label == k, probability[:, k]) for k in (0, 2, 3, 4)]
    auc, used = area_under_curve(label, probability)
    assert auc == pytest.approx(np.mean(each), abs=1e-12)
    assert used == 4
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of the class that is predicted and not there
        expected = reference.balanced_accuracy_score(label, predicted)
    assert balanced_accuracy(label, predicted) == pytest.approx(expected, abs=1e-12)
    expected = reference.matthews_corrcoef(label, predicted)
    assert matthews_correlation(label, predicted) == pytest.approx(expected, abs=1e-12)


def test_a_constant_prediction_scores_chance_and_no_correlation():
    label, _ = random_fold(4, classes=4)
    constant = np.full(len(label), 2)
    assert balanced_accuracy(label, constant) == 0.25
    assert matthews_correlation(label, constant) == 0.0
    assert matthews_correlation(constant, label) == 0.0
    assert area_under_curve(label, np.full((len(label), 4), 0.25)) == (0.5, 4)


def test_perfect_and_inverted_predictions_reach_the_ends_of_the_scale():
    label = np.array([0, 1, 1, 0, 1])
    assert balanced_accuracy(label, label) == matthews_correlation(label, label) == 1
    assert balanced_accuracy(label, 1 - label) == 0
    assert matthews_correlation(label, 1 - label) == -1


def test_two_classes_give_the_auc_of_the_positive_one():
    label, probability = random_fold(5, classes=2)
    for positive in (0, 1):
        expected = reference.roc_auc_score(label == positive, probability[:, positive])
        assert area_under_curve(label, probability, positive) == (pytest.approx(expected, abs=1e-12), 2)
    # Where the two columns are not mirror images, it matters which of them is read.
    skewed = probability.copy()
    skewed[:, 0] = 0.5
    assert area_under_curve(label, skewed, 0)[0] == 0.5
    assert area_under_curve(label, skewed, 1)[0] > 0.5


def test_a_fold_with_a_single_class_has_no_auc_and_says_so():
    probability = np.full((6, 3), 1 / 3)
    with pytest.raises(ValueError, match="both positives and negatives in the test fold"):
        area_under_curve(np.full(6, 2), probability)
    with pytest.raises(ValueError, match="both positives and negatives"):
        area_under_curve(np.zeros(6, dtype=int), probability[:, :2], 0)
