"""Balanced accuracy, macro one-versus-rest AUC and Matthews correlation; equal to scikit-learn's where it has them.

NumPy alone: these run after every epoch of every training, and scikit-learn takes longer to import than they take.
"""

import numpy as np

from ..datasets.splits import usable_classes


def balanced_accuracy(label: np.ndarray, predicted: np.ndarray) -> float:
    """Mean recall over the classes that are present in `label`."""
    return float(np.mean([np.mean(predicted[label == k] == k) for k in np.unique(label)]))


def matthews_correlation(label: np.ndarray, predicted: np.ndarray) -> float:
    """Multi-class Matthews correlation (Gorodkin 2004); 0 where one side is constant."""
    classes = max(label.max(), predicted.max()) + 1
    confusion = np.bincount(label * classes + predicted, minlength=classes**2).reshape(classes, classes)
    confusion = confusion.astype(float)
    n, correct = confusion.sum(), np.trace(confusion)
    true, guessed = confusion.sum(axis=1), confusion.sum(axis=0)
    denominator = np.sqrt((n**2 - guessed @ guessed) * (n**2 - true @ true))
    return float((correct * n - true @ guessed) / denominator) if denominator else 0.0


def binary_auc(positive: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve from mid-ranks (Mann-Whitney); needs both positives and negatives."""
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[inverse]  # ranks from 1, ties share their mean
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    return float((rank[positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def area_under_curve(label: np.ndarray, probability: np.ndarray, positive: int | None = None) -> tuple[float, int]:
    """Mean one-versus-rest AUC over the classes with both positives and negatives, and how many those are.

    `label` (N,), `probability` (N, K). With two classes it is the AUC of the class `positive`. Raises ValueError
    where no class can be used.
    """
    usable = usable_classes(label, probability.shape[1], positive)
    if not usable:
        raise ValueError("AUC needs at least one class with both positives and negatives in the test fold")
    scores = [binary_auc(label == k, probability[:, k]) for k in usable]
    return float(np.mean(scores)), 2 if probability.shape[1] == 2 else len(usable)
