"""The paired test of a gap over groups of images: one statistic, with the variances of sampling and of training.

The estimate is Table 1's gap itself. Images of one group (a patient, a lesion) are not independent, so the variance of
sampling is over groups. Five trainings on data that overlap are not independent either: what the folds differ by beyond
sampling stands for the variance of training, widened by the overlap.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit  # of single numbers, a twentieth of the time of scipy.stats

from ..storage.contracts import split_rows
from .level import ALPHA
from .rows import BOTH, SAMPLING
from .t_tests import FEWEST_FOLDS, ROUNDING

# Of the sampling variance within a fold: the least that the trainings of a lone cell are taken to vary by. Of five
# folds V_training is then at least .4 V_sampling. Without it such a cell finds a gap that is not there in up to 7 %
# of simulated studies (make calibrate).
LEAST_ALONE = 1 / 15


class PairedRows(NamedTuple):
    """One dataset and autoencoder: arrays over the test images of all folds that were run, each image once."""

    # (N,) float64: 1[first side right] - 1[second side right], mean over replicates, in [-1, 1]; or less another such
    difference: np.ndarray
    label: np.ndarray  # (N,) int
    fold: np.ndarray  # (N,) int: the fold that the image is in the test part of
    group: np.ndarray  # (N,) int codes; a group lies in one fold

    def folds(self) -> list[int]:
        """The folds that were run."""
        return np.unique(self.fold).tolist()


class GroupTest(NamedTuple):
    """A difference of balanced accuracies with its interval and two-sided p; None is what cannot be said."""

    effect: float
    ci_low: float | None
    ci_high: float | None
    statistic: float
    p: float
    df: float | None
    variance_sampling: float
    df_sampling: float | None
    variance_training: float | None
    n_groups: int
    n_folds: int
    method: str  # BOTH or SAMPLING


class Sampled(NamedTuple):
    """A weighted mean of differences, its variance over groups, and the degrees of freedom of that."""

    effect: float
    variance: float
    df: float | None
    n_groups: int


def group_test(rows: PairedRows, e: float | None, overlap: float, limit: float = 1.0) -> GroupTest:
    """Is the difference of balanced accuracies zero? A t-test by Satterthwaite's degrees of freedom.

    With `e` from `excess` and `overlap` from `training_overlap`, V = V_sampling + e (1 + (k-1) overlap) / (k (1 -
    overlap)) for k folds, the second part with k - 1 degrees of freedom; where `e` is None, V_sampling alone. Where
    nothing varies p is 1 and there is no interval. An effect lies within ± `limit` (rows.limit_of), and so does its
    interval.
    """
    sampled, k = sample(rows), len(rows.folds())
    training = None if e is None else e * (1 + (k - 1) * overlap) / (k * (1 - overlap))
    parts = [(sampled.variance, sampled.df), (training or 0.0, k - 1)]
    return _tested(sampled.effect, parts, sampled.variance, sampled.df, training, sampled.n_groups, k, limit)


def study_test(tests: Sequence[GroupTest], limit: float = 1.0) -> GroupTest:
    """The mean over the datasets of these tests: V = sum of theirs / D². It speaks of these datasets only.

    Degrees of freedom by Satterthwaite over all parts of all datasets; one dataset without the variance of training
    makes it "sampling only". `n_folds` is the smallest, `n_groups` the sum, `limit` that of `group_test`.
    """
    count = len(tests)
    sampling = [(test.variance_sampling / count**2, test.df_sampling) for test in tests]
    trained = [(test.variance_training, test.n_folds - 1) for test in tests if test.variance_training is not None]
    training = [(variance / count**2, df) for variance, df in trained]
    return _tested(
        float(np.mean([test.effect for test in tests])),
        sampling + training,
        sum(variance for variance, _ in sampling),
        satterthwaite(sampling),
        sum(variance for variance, _ in training) if len(training) == count else None,
        sum(test.n_groups for test in tests),
        min(test.n_folds for test in tests),
        limit,
    )


def averaged(cells: Sequence[PairedRows]) -> PairedRows:
    """The rows of a dataset: the difference of every image averaged over its autoencoders (or over replicates).

    The cells have the same images in the same order; others are a ValueError. The `e` that belongs to them is
    `excess(cells)`: of one averaged cell it is too uncertain to hold the level (make calibrate).
    """
    first = cells[0]
    for cell in cells[1:]:
        if not all(np.array_equal(mine, other) for mine, other in zip(first[1:], cell[1:], strict=True)):
            raise ValueError("cells differ in the labels, folds or groups of their images; expected the same rows")
    return first._replace(difference=np.mean([cell.difference for cell in cells], axis=0))


def less(first: PairedRows, second: PairedRows) -> PairedRows:
    """The difference of two differences, image by image, so that what both share cancels."""
    return first._replace(difference=first.difference - second.difference)


def excess(cells: Sequence[PairedRows]) -> float | None:
    """How much the gap varies from fold to fold beyond the sampling of images; None below three folds.

    e = max(0, mean over the cells of [variance of the folds' gaps - mean of their sampling variances]). `cells` are the
    autoencoders of one dataset, which share it. A single cell has only the k - 1 degrees of freedom of its folds, so e
    is often estimated as 0 though trainings vary: there it is at least LEAST_ALONE of the mean sampling variance.
    """
    spreads, sampled = [], []
    for rows in cells:
        folds = [sample(PairedRows(*(part[rows.fold == fold] for part in rows))) for fold in rows.folds()]
        if len(folds) < FEWEST_FOLDS:
            return None
        spreads.append(np.var([fold.effect for fold in folds], ddof=1))
        sampled.append(np.mean([fold.variance for fold in folds]))
    least = LEAST_ALONE * sampled[0] if len(cells) == 1 else 0.0
    return max(float(least), float(np.mean(np.subtract(spreads, sampled))))


def training_overlap(group: np.ndarray, fold: np.ndarray, tested: Sequence[int], n_splits: int) -> float:
    """Mean overlap of the training groups of two folds, in [0, 1]: .5 at five folds of 60/20/20, 0 for a single one.

    `group`, `fold` (N,) describe all images, fold -1 those in none; `tested` are the folds that were run. Of two sets
    it is what both have, over the root of the product of their sizes: the correlation of two means over them.
    """
    trained = [np.unique(group[split_rows(fold, k, n_splits)["train"]]) for k in tested]
    return float(np.mean([_overlap(*pair) for pair in combinations(trained, 2)] or [0.0]))


def _overlap(first: np.ndarray, second: np.ndarray) -> float:
    return len(np.intersect1d(first, second, assume_unique=True)) / np.sqrt(len(first) * len(second))


def image_weights(label: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """The weight of every image in the mean over folds of the mean recall over the fold's classes; they sum to 1."""
    step = label.max() + 1
    cells, cell, images = _coded(fold * step + label)
    folds, which, classes = _coded(cells // step)
    return (1 / (len(folds) * classes[which] * images))[cell]


def _coded(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distinct ones of small integers (N,), the place of each among them, and their counts: a fast np.unique."""
    counts = np.bincount(values)
    present = counts > 0
    return np.flatnonzero(present), (np.cumsum(present) - 1)[values], counts[present]


def sample(rows: PairedRows) -> Sampled:
    """The difference of balanced accuracies, with the variance that other groups of the same classes would give it.

    r_g = sum over group g of w (d - m), m the weighted mean of the image's class; V = G / (G - 1) sum of r_g². The
    degrees of freedom are Satterthwaite's over the classes, each with its own groups less one.
    """
    weight = image_weights(rows.label, rows.fold)
    _, label, _ = _coded(rows.label)
    groups, group, _ = _coded(rows.group)
    mean = np.bincount(label, weight * rows.difference) / np.bincount(label, weight)
    residual = weight * (rows.difference - mean[label])
    pairs, pair, _ = _coded(group * (label.max() + 1) + label)
    of_class = pairs % (label.max() + 1)
    per_class = _variances(np.bincount(pair, residual), of_class)
    variance = _variances(np.bincount(group, residual), np.zeros(len(groups), dtype=int))[0]
    df = satterthwaite(list(zip(per_class, np.bincount(of_class) - 1, strict=True)))
    return Sampled(float(weight @ rows.difference), float(variance), df, len(groups))


def _variances(sums: np.ndarray, stratum: np.ndarray) -> np.ndarray:
    """G / (G - 1) times the sum of squares, per stratum; 0 of a single group, which has no variance."""
    count = np.bincount(stratum)
    return np.bincount(stratum, sums**2) * count / np.maximum(count - 1, 1)


def satterthwaite(parts: Sequence[tuple[float, float | None]]) -> float | None:
    """Degrees of freedom of a sum of variances, each with its own (Satterthwaite 1946); None where nothing varies."""
    parts = [(variance, df) for variance, df in parts if variance > ROUNDING**2]
    if not parts:
        return None
    return float(sum(variance for variance, _ in parts) ** 2 / sum(variance**2 / df for variance, df in parts))


def _tested(
    effect: float,
    parts: Sequence[tuple[float, float | None]],
    sampling: float,
    df_sampling: float | None,
    training: float | None,
    n_groups: int,
    n_folds: int,
    limit: float,
) -> GroupTest:
    """The t-test of an effect whose variance is the sum of `parts`; its interval stays within ± `limit`."""
    df, error = satterthwaite(parts), float(np.sqrt(sum(variance for variance, _ in parts)))
    statistic, p, low, high = 0.0, 1.0, None, None
    if df is not None:
        statistic, half = effect / error, error * float(stdtrit(df, 1 - ALPHA / 2))
        p = float(2 * stdtr(df, -abs(statistic)))
        low, high = max(-limit, effect - half), min(limit, effect + half)
    method = SAMPLING if training is None else BOTH
    return GroupTest(effect, low, high, statistic, p, df, sampling, df_sampling, training, n_groups, n_folds, method)
