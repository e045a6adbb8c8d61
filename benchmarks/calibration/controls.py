"""Runs the judge of controls on simulated studies: the verdicts, and how often a study is said to fail."""

import functools
import io
from collections.abc import Sequence

import numpy as np
import pandas as pd

from learnability.paper.findings import read_numbers
from learnability.significance.controls import control_verdicts
from learnability.significance.predictions import Images
from learnability.study.configuration import read_config
from learnability.study.controls import comparisons
from learnability.study.truths import TABLE1
from learnability.summary.controls import WRONG, controls_in_words

from .designs import N_SPLITS, Design
from .simulated import over_folds
from .studies import Scenario, an_autoencoder, draw_views, right, tested

LOSSLESS, CIPHER = "pixel_unshuffle_8", "enciphered_8"
SAID = ["effect", "ci_low", "ci_high", "p", "verdict"]  # of control_verdicts


@functools.cache
def compared() -> tuple[dict, ...]:
    """The comparisons of a study with both controls under the matched recipe, including a replicate."""
    config = read_config()
    config["study"]["controls"] = [LOSSLESS, CIPHER]
    return tuple(entry for entry in comparisons(config) if entry["recipe"] != TABLE1)


def controlled(
    designs: Sequence[Design], strengths: Sequence[float], scenario: Scenario, studies: int, seed: Sequence[int]
) -> pd.DataFrame:
    """One row per study, dataset and control: `SAID`, and whether the study is said to fail its controls.

    `strengths` of the class means of the lossless control, of each dataset; at 1 it has no gap.
    """
    images = {
        f"d{number}": Images(pd.RangeIndex(len(design.label)), design.label, design.fold, design.group, N_SPLITS)
        for number, design in enumerate(designs)
    }
    sides = [
        _sides(design, number, strengths[number], scenario, studies, np.random.default_rng([*seed, number]))
        for number, design in enumerate(designs)
    ]
    found = []
    for study in range(studies):
        runs = [_runs(name, design, of, study) for (name, design, of) in zip(images, designs, sides, strict=True)]
        table = control_verdicts(pd.concat(runs, ignore_index=True), images, compared())
        numbers = read_numbers(io.StringIO(table.to_csv(index=False)))
        fails = controls_in_words(numbers, str, {name: name for name in (LOSSLESS, CIPHER)}).kind == WRONG
        found.append(numbers[["dataset", "control", *SAID]].assign(study=study, fails=fails))
    return pd.concat(found, ignore_index=True)


def _sides(
    design: Design, number: int, strength: float, scenario: Scenario, studies: int, random: np.random.Generator
) -> dict[tuple[str, ...], np.ndarray]:
    """Right answers (S, N) by autoencoder, space and recipe: a replicate sees the same images, a cipher sees noise."""
    views = draw_views(design, number, studies, random)
    images = an_autoencoder(views, "IS", random)
    first, again = (tested(views, images, (1.0,), scenario, random)[0].argmax(2) == design.label for _ in range(2))
    known = {LOSSLESS: right(views, "LS", (strength,), scenario, random)[0]}
    known[CIPHER] = right(views, "LS", (0.0,), scenario, random)[0]
    sides = {tuple(entry["second"]): known.get(entry["control"], again) for entry in compared()}
    return {tuple(compared()[0]["first"]): first} | sides


def _runs(dataset: str, design: Design, sides: dict[tuple[str, ...], np.ndarray], study: int) -> pd.DataFrame:
    """The runs of a study on a dataset, as significance.predictions.with_right returns them."""
    rows, folds = [], np.unique(design.fold[design.weight > 0])
    for (autoencoder, space, recipe), correct in sides.items():
        identity = {"dataset": dataset, "autoencoder": autoencoder, "space": space, "recipe": recipe}
        scores = over_folds(correct[study], design)
        for fold, score in zip(folds, scores, strict=True):
            tests = {"right": correct[study][design.fold == fold], "balanced_accuracy": score}
            rows.append(identity | {"fold": fold} | tests)
    return pd.DataFrame(rows)
