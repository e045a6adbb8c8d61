"""How small a gap a test over groups would see: from counts of test images alone, or from a measured error.

Before anything is trained the error of a gap is that of a difference of two classifiers' balanced accuracies on the
test images of the folds that are run, n_c of class c, m_c of them per group on the average:

    SE² = TRAINING · Σ_c DISAGREEMENT · deff_c / (K² · n_c),    deff_c = 1 + (m_c − 1) · WITHIN_GROUP

with K classes: the variance of a mean over clusters (Kish 1965, section 5.4) in each class, which all count the same.
"""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from .level import ALPHA

DISAGREEMENT = 0.3  # share of the images of which one of two classifiers is right and the other wrong
WITHIN_GROUP = 0.5  # correlation of this difference between two images of a group
TRAINING = 1.25  # the variance over that of sampling test images alone, five folds of 60/20/20
ALONE = 1.4  # the same where a dataset has one autoencoder: its test takes no less (group_level.LEAST_ALONE)
SHARED = 0.38  # correlation of the gaps of two autoencoders on a dataset, measured in simulated studies
POWER = 0.8  # of a gap that counts as seen
ERRORS_SEEN = 2.8  # standard errors of a gap that a two-sided test at the level finds with this power: 1.96 + .84


def class_variances(images: Sequence[float], groups: Sequence[float]) -> np.ndarray:
    """What each class adds to SE²: its test images (K,) above 0, and the groups (K,) that they are of."""
    images, groups = np.asarray(images, float), np.asarray(groups, float)
    design = 1 + (images / groups - 1) * WITHIN_GROUP
    return TRAINING * DISAGREEMENT * design / (len(images) ** 2 * images)


def smallest_gap(images: Sequence[float], groups: Sequence[float], alone: bool = False) -> float:
    """The gap of one autoencoder, as a difference of balanced accuracies, that would be found with POWER.

    `alone`: no other autoencoder is on the dataset.
    """
    variance = class_variances(images, groups).sum() * (ALONE / TRAINING if alone else 1)
    return ERRORS_SEEN * float(np.sqrt(variance))


def share_of_mean(autoencoders: int) -> float:
    """The error of a dataset's mean over so many autoencoders, over that of one of them."""
    return float(np.sqrt((1 + (autoencoders - 1) * SHARED) / autoencoders))


def seen_by(error: float, df: float, tests: int = 1) -> float:
    """The effect that a t-test of this error and freedom finds with POWER, as the smallest p of so many (Holm)."""
    return float(error * (stats.t.isf(ALPHA / 2 / tests, df) + stats.t.ppf(POWER, df)))


def times_corrected(tests: int) -> float:
    """How many times as large a gap must be to be found as the smallest p of so many under Holm's correction."""
    power = stats.norm.ppf(POWER)
    return float((stats.norm.isf(ALPHA / 2 / tests) + power) / (stats.norm.isf(ALPHA / 2) + power))
