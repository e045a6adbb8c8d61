"""Made-up datasets for simulated studies: classes, groups of images, and the folds that the project makes."""

import contextlib
import functools
import io
from typing import NamedTuple

import numpy as np
import pandas as pd

from learnability.datasets.folds import make_folds
from learnability.significance.group_level import image_weights, training_overlap

N_SPLITS = 5


class Design(NamedTuple):
    """Arrays over the images of a dataset; every image is tested in one of the folds."""

    label: np.ndarray  # (N,) int
    group: np.ndarray  # (N,) int codes
    fold: np.ndarray  # (N,) int
    weight: np.ndarray  # (N,) of every image in the mean balanced accuracy over folds
    overlaps: tuple[float, ...]  # of the training groups of the first 0, 1, 2 ... folds

    def overlap(self, folds: list[int]) -> float:
        """The overlap of the training groups of these folds, computed as for a real dataset."""
        return self.overlaps[len(folds)]

    @property
    def n_classes(self) -> int:
        return int(self.label.max()) + 1


class Shape(NamedTuple):
    """How a dataset is made: images, class shares, the most images of a group, and what a group shares."""

    images: int
    classes: tuple[float, ...]
    group: int
    mixed: bool  # a group holds several classes, like a patient; else one, like a lesion


SMALL = (
    Shape(400, (0.7, 0.3), 3, mixed=False),
    Shape(500, (0.5, 0.3, 0.2), 4, mixed=False),
    Shape(600, (0.6, 0.4), 4, mixed=True),
    Shape(700, (0.4, 0.3, 0.18, 0.12), 3, mixed=False),
)  # 400 to 700 images


@functools.cache
def designs(shapes: tuple[Shape, ...], seed: int, folds: int = N_SPLITS) -> tuple[Design, ...]:
    """A design for each shape, with folds by the project's own function; the first `folds` of them are run."""
    return tuple(_design(shape, np.random.default_rng([seed, number]), folds) for number, shape in enumerate(shapes))


def _design(shape: Shape, random: np.random.Generator, folds: int) -> Design:
    sizes = random.integers(1, shape.group + 1, shape.images)
    group = np.repeat(np.arange(len(sizes)), sizes)[: shape.images]
    units = np.arange(shape.images) if shape.mixed else group
    label = random.choice(len(shape.classes), units.max() + 1, p=shape.classes)[units]
    samples = pd.DataFrame({"sample_id": np.arange(shape.images).astype(str), "label": label, "group": group})
    with contextlib.redirect_stdout(io.StringIO()):
        made = make_folds(samples.assign(label_name=label.astype(str)), N_SPLITS, 0, "error", "simulated")
    fold = made["fold"].to_numpy()
    weight = np.zeros(shape.images)
    run = fold < folds
    weight[run] = image_weights(label[run], fold[run])
    overlaps = tuple(training_overlap(group, fold, range(number), N_SPLITS) for number in range(folds + 1))
    return Design(label, group, fold, weight, overlaps)
