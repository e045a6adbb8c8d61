"""Runs the project's group-level tests on simulated studies, and keeps their scores for the tests over folds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from learnability.significance.group_level import GroupTest, PairedRows, averaged, excess, group_test, study_test

from .designs import Design
from .studies import AUTOENCODERS, Scenario, draw_views, right

FIELDS = ("effect", "low", "high", "p", "low_sampling", "high_sampling", "p_sampling", "sampling", "training")
FEW = 2  # folds, as in the demo: only the variance of sampling
# The tests of a dataset: its autoencoders; the first one in a study of two; their average, also with its own variance
# of training; the control, which stands alone, also without the least variance that it is given, and in a study of few
# folds.
ONE, TWO, ONE_WITHOUT = "control", "of two", "control, nothing least"
UNITS = (*range(AUTOENCODERS), "dataset", TWO, ONE_WITHOUT, "dataset, own excess", ONE, "control of few")


class Simulated(NamedTuple):
    """S studies of D datasets at G gaps, with A autoencoders and k folds; balanced accuracies in [0, 1]."""

    reconstruction: np.ndarray  # (S, D, A, k)
    latent: np.ndarray  # (G, S, D, A, k)
    image: np.ndarray  # (S, D, k): all autoencoders of a dataset have the same
    control: np.ndarray  # (G, S, D, k): latents of a control
    tests: np.ndarray  # (G, S, D, UNITS, FIELDS) of group_test
    study: np.ndarray  # (G, S, FIELDS) of study_test


def simulate(
    designs: Sequence[Design],
    strengths: Sequence[tuple[float, ...]],
    scenario: Scenario,
    studies: int,
    seed: Sequence[int],
) -> Simulated:
    """A stack of studies; `strengths` of the latents' class means: per dataset one for each gap."""
    scores, tests = [], []
    for number, design in enumerate(designs):
        random = np.random.default_rng([*seed, number])
        correct = _right_everywhere(design, number, strengths[number], scenario, studies, random)
        scores.append([over_folds(part, design) for part in correct])
        tests.append(_tests(*correct, design))
    parts = [np.stack(part, axis) for part, axis in zip(zip(*scores, strict=True), (1, 2, 1, 2), strict=True)]
    at = UNITS.index("dataset")
    gaps = range(len(strengths[0]))
    study = [[fields(study_test([of[gap][i][at] for of in tests])) for i in range(studies)] for gap in gaps]
    found = [[[[fields(test) for test in units] for units in stack] for stack in of] for of in tests]
    return Simulated(*parts, np.moveaxis(np.array(found), 0, 2), np.array(study))


def _right_everywhere(
    design: Design,
    number: int,
    strengths: tuple[float, ...],
    scenario: Scenario,
    studies: int,
    random: np.random.Generator,
) -> tuple[np.ndarray, ...]:
    """Right answers: reconstructions (S, A, N), latents (G, S, A, N), images (S, N), a control's latents (G, S, N)."""
    views = draw_views(design, number, studies, random)
    reconstruction = [right(views, "RS", (1.0,), scenario, random)[0] for _ in range(AUTOENCODERS)]
    latent = [right(views, "LS", strengths, scenario, random) for _ in range(AUTOENCODERS)]
    image, control = right(views, "IS", (1.0,), scenario, random)[0], right(views, "LS", strengths, scenario, random)
    return np.stack(reconstruction, 1), np.stack(latent, 2), image, control


def over_folds(correct: np.ndarray, design: Design) -> np.ndarray:
    """Balanced accuracy of every fold (..., k) from right answers (..., N)."""
    folds = np.unique(design.fold[design.weight > 0])
    weight = np.stack([np.where(design.fold == fold, design.weight, 0.0) for fold in folds], 1) * len(folds)
    return correct @ weight


def _tests(
    reconstruction: np.ndarray, latent: np.ndarray, image: np.ndarray, control: np.ndarray, design: Design
) -> list[list[list[GroupTest]]]:
    """The tests of `UNITS` by gap and study."""
    return [
        [_of_study(reconstruction[i], latent[gap, i], image[i], control[gap, i], design) for i in range(len(image))]
        for gap in range(len(latent))
    ]


def _of_study(
    reconstruction: np.ndarray, latent: np.ndarray, image: np.ndarray, control: np.ndarray, design: Design
) -> list[GroupTest]:
    cells = [paired(*pair, design) for pair in zip(reconstruction, latent, strict=True)]
    controlled = paired(image, control, design)
    few = PairedRows(*(part[controlled.fold < FEW] for part in controlled))
    shared, dataset = excess(cells), averaged(cells)
    together = [(rows, shared) for rows in (*cells, dataset)]  # the dataset's is groups.dataset_test, as a test shows
    together += [(cells[0], excess(cells[:2])), (controlled, excess([controlled] * 2))]
    alone = [(rows, excess([rows])) for rows in (dataset, controlled, few)]
    return [group_test(rows, e, design.overlap(rows.folds())) for rows, e in (*together, *alone)]


def decomposed(designs: Sequence[Design], scenario: Scenario, studies: int, seed: Sequence[int]) -> np.ndarray:
    """Tests (S, D, A + 1, FIELDS) of a gap less that of the control, image by image, if both are zero.

    The last test is that of the first autoencoder in a study of it alone.
    """
    tests = []
    for number, design in enumerate(designs):
        random = np.random.default_rng([*seed, number])
        correct = _right_everywhere(design, number, (1.0,), scenario, studies, random)
        reconstruction, (latent,), image, (control,) = correct
        tests.append([_encoding(*sides, design) for sides in zip(reconstruction, latent, image, control, strict=True)])
    return np.moveaxis(np.array(tests), 0, 1)


def _encoding(
    reconstruction: np.ndarray, latent: np.ndarray, image: np.ndarray, control: np.ndarray, design: Design
) -> list[tuple[float, ...]]:
    """The decomposition of one study, as significance.decomposition makes it; all autoencoders have one control."""
    grid = paired(image, control, design).difference
    gaps = [paired(*pair, design) for pair in zip(reconstruction, latent, strict=True)]
    cells = [gap._replace(difference=gap.difference - grid) for gap in gaps]
    shared = excess(cells)
    together, alone = [(rows, shared) for rows in cells], (cells[0], excess(cells[:1]))
    return [fields(group_test(rows, e, design.overlap(rows.folds()))) for rows, e in (*together, alone)]


def paired(first: np.ndarray, second: np.ndarray, design: Design) -> PairedRows:
    """The rows that tests take: first (N,) less second (N,) for the tested images."""
    tested = design.weight > 0
    difference = first[tested].astype(float) - second[tested]
    return PairedRows(difference, design.label[tested], design.fold[tested], design.group[tested])


def fields(test: GroupTest) -> tuple[float, ...]:
    """`FIELDS` of a test, NaN for missing ones; "sampling" is the test without the variance of training."""
    alone = study_test([test._replace(variance_training=None)])
    said = [test.effect, test.ci_low, test.ci_high, test.p, alone.ci_low, alone.ci_high, alone.p]
    said += [test.variance_sampling, test.variance_training]
    return tuple(np.nan if value is None else value for value in said)
