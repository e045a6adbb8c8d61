"""Simulated studies: which images the classifiers of every space and autoencoder get right.

A feature is its class's mean plus noise. Parts of the noise, by image and by group of images, are shared by all views
of a dataset or by the autoencoders of a space; the rest is independent. Two spaces differ only in the strength of their
class means, so the true gap is zero if these are equal. A study's gaps vary with:

- the tested images and groups, always;
- the training groups, which two folds share as the project's folds do; `known` images of a class, given beforehand,
  reduce this variation, and training on a share `used` of the groups increases it;
- the seed: the rows of every training are `drawn` anew, with replacement.
"""

from typing import NamedTuple

import numpy as np

from learnability.storage.contracts import split_rows

from .designs import N_SPLITS, Design
from .learners import LEARNERS, outputs

FEATURES, AUTOENCODERS = 24, 5
SHARED, OF_SPACE, OWN = 0.3, 0.45, 0.25  # of the variance of a feature's noise
OF_GROUP = 0.3  # of each belongs to the group, the rest to the image
STRENGTH = 1.6  # length of a class's mean, in standard deviations of a feature


SPACES = ("IS", "RS", "LS")  # of images, reconstructions, latents


class Scenario(NamedTuple):
    """A learner and how it is trained."""

    name: str
    learner: str
    known: float = 1.0  # images per class
    used: float = 1.0  # share of the training groups
    drawn: float = 1.0  # rows of a training drawn with replacement, as a share of all; 0: all of them, once


class Views(NamedTuple):
    """Noise of one dataset in a stack of S studies, and the class means to which it is added."""

    design: Design
    means: np.ndarray  # (K, p)
    shared: np.ndarray  # (S, N, p) of all views
    spaces: dict[str, np.ndarray]  # (S, N, p) of one space


def draw_views(design: Design, number: int, studies: int, random: np.random.Generator) -> Views:
    """Draw the noise of all views of dataset `number`; the class means are the same in every study."""
    means = np.random.default_rng([7, number]).standard_normal((design.n_classes, FEATURES), np.float32)
    means *= STRENGTH / np.linalg.norm(means, axis=1, keepdims=True)
    shared = noise(design, studies, SHARED, random)
    return Views(design, means, shared, {space: noise(design, studies, OF_SPACE, random) for space in SPACES})


def noise(design: Design, studies: int, variance: float, random: np.random.Generator) -> np.ndarray:
    """Noise of features (S, N, p), with a part that is the same for all images of a group."""
    of_image = random.standard_normal((studies, len(design.label), FEATURES), np.float32)
    of_group = random.standard_normal((studies, design.group.max() + 1, FEATURES), np.float32)[:, design.group]
    return np.sqrt(np.float32(variance)) * (
        np.sqrt(np.float32(1 - OF_GROUP)) * of_image + np.sqrt(np.float32(OF_GROUP)) * of_group
    )


def right(
    views: Views, space: str, strengths: tuple[float, ...], scenario: Scenario, random: np.random.Generator
) -> np.ndarray:
    """Whether each image is classified correctly when it is tested: (strengths, S, N), for a new autoencoder.

    A strength scales the class means. All strengths have the same noise and the same resampling.
    """
    found = tested(views, an_autoencoder(views, space, random), strengths, scenario, random)
    return found.argmax(3) == views.design.label


def an_autoencoder(views: Views, space: str, random: np.random.Generator) -> np.ndarray:
    """Noise of features (S, N, p) of a new autoencoder in this space; for images, that of every training."""
    return views.shared + views.spaces[space] + noise(views.design, len(views.shared), OWN, random)


def tested(
    views: Views, own: np.ndarray, strengths: tuple[float, ...], scenario: Scenario, random: np.random.Generator
) -> np.ndarray:
    """Outputs (strengths, S, N, K) for each image when it is tested, of classifiers trained on features `own`."""
    design, studies = views.design, len(views.shared)
    found = np.zeros((len(strengths), studies, len(design.label), design.n_classes), np.float32)
    for k in np.unique(design.fold[design.weight > 0]):
        rows = split_rows(design.fold, k, N_SPLITS)
        train = rows["train"][_used(design.group[rows["train"]], scenario.used)]
        weight = np.ones((studies, len(train)), np.float32)
        if scenario.drawn:
            weight = random.poisson(scenario.drawn, weight.shape).astype(np.float32)
        for number, strength in enumerate(strengths):
            means = np.float32(strength) * views.means
            x = own[:, train] + means[design.label[train]]
            weights = LEARNERS[scenario.learner](x, design.label[train], weight, means, np.float32(scenario.known))
            test = rows["test"]
            x = own[:, test] + means[design.label[test]]
            found[number][:, test] = outputs(weights, x)
    return found


def _used(group: np.ndarray, share: float) -> np.ndarray:
    """Rows of a share of the groups, the same groups in every fold."""
    return np.flatnonzero(np.modf(group * 0.6180339887)[0] < share)


def balanced(correct: np.ndarray, design: Design) -> np.ndarray:
    """Balanced accuracy over the last axis (images), as a mean over folds."""
    return correct @ design.weight


def strengths_of(
    gaps: tuple[float, ...], design: Design, number: int, scenario: Scenario, studies: int, seed: int
) -> tuple[float, ...]:
    """The strengths of the class means that lower balanced accuracy by each gap, found in a separate trial."""
    random = np.random.default_rng([seed, number, 1])
    grid = np.linspace(1.0, 0.3, 11)
    views = draw_views(design, number, studies, random)
    scores = np.mean([balanced(right(views, "LS", tuple(grid), scenario, random), design).mean(1) for _ in range(2)], 0)
    lost = np.maximum.accumulate(scores[0] - scores)
    return tuple(float(np.interp(gap, lost, grid)) for gap in gaps)
