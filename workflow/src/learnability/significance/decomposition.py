"""The honest gap: how much of the published gap the encoding itself costs."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..storage.contracts import SCORES
from .cells import ANY_CELL, Cell, Runs, paired_differences, refuse_other_folds, runs_by_cell
from .gap_kinds import CONTROL, ENCODING, KINDS, MATCHED, Sides, excess_of, image_by_image, sides_of_gaps
from .group_level import PairedRows, averaged
from .predictions import Images, tested_on
from .rows import HEADLINE_METRIC, NOT_APPLICABLE, holm, limit_of
from .t_tests import corrected_t

IDENTITY = ["dataset", "autoencoder", "recipe", "trainings", "metric", "role", "control", "n", "method"]
ENDS = {"ci_low": "_ci_low", "ci_high": "_ci_high", "p": "_p", "df": "_df"}
CORRECTED = f"{ENCODING}_p_corrected"
GAP_COLUMNS = [*IDENTITY, *(f"{gap}{end}" for gap in KINDS for end in ("", *ENDS.values())), CORRECTED]


class Decomposed(NamedTuple):
    """The runs that the gaps of one row are between, by the name of the gap, fold by fold."""

    labels: dict[str, str | int]
    control: str
    sides: dict[str, Sides]

    @property
    def dataset(self) -> str:
        return self.labels["dataset"]

    def shares_variance(self, other: "Decomposed") -> bool:
        """Whether its folds are used for the other's too, as in group_level.csv."""
        return all(self.labels[key] == other.labels[key] for key in ("dataset", "role"))


def gap_decomposition(
    metrics: pd.DataFrame, recipes: dict, controls: dict[str, str], images: Mapping[str, Images]
) -> pd.DataFrame:
    """One row per dataset, autoencoder, metric and matched recipe: the gaps of gap_kinds, with interval and p.

    Gaps are means over folds; gap_encoding is a difference image by image, of AUC and MCC fold by fold. `recipes` gives
    the names of the study's for `image` and `latent` (without them there is no gap_paper), and in `matched` by the name
    of each matched recipe its trainings, the name and its replicates, over which the gaps are averaged.
    `controls` names the lossless control of an autoencoder; its latents are the pixels rearranged, so that its
    reconstructions would be the images. Rows are the autoencoders with matched reconstructions that are no such
    control. Without a control gap_control and gap_encoding are "n/a"; so are intervals where nothing varies. A run
    that a gap needs and that is missing is an InputError.

    For balanced accuracy, intervals and p are those of the test over groups of images: `metrics` has `right`
    (predictions.with_right), `images` are by dataset. For AUC and MCC they are Nadeau and Bengio's over folds, which
    count that training sets overlap. `method` says which, and which variance. Holm's correction of the p of
    gap_encoding is over the family cells of a recipe and metric, on all datasets.

    For balanced accuracy every dataset has one more row, whose `autoencoder` is "n/a" as in group_level.csv: the mean
    over its families, image by image, of the gaps that all of them have.

    Limits. One network, start, augmentation (none) and masking (none) stand on both sides of gap_matched, and the
    control stands on the latent grid with the same stem, so gap_encoding is free of these. It equals latent(control)
    - latent(autoencoder) less what the images lose by reconstruction, and supposes that grid and encoding add up.
    Control and latent differ in channels, hence in the width of the stem; steps and learning rate are the same and
    not the best of each side; reconstructions are 8-bit. Folds grouped by patient or lesion are for the study to keep.
    """
    runs = runs_by_cell(metrics, HEADLINE_METRIC, ANY_CELL)
    trainings = {kind: [recipes[kind]] for kind in ("image", "latent") if kind in recipes}
    by_recipe = [_decomposed(runs, trainings | {"matched": names}, controls) for names in recipes["matched"].values()]
    rows = []
    for metric in SCORES:
        for found in by_recipe:
            rows += _corrected([_row(one, metric, tests) for one, tests in _tests(found, metric, images)])
    return pd.DataFrame(rows, columns=GAP_COLUMNS, dtype=object)


def _decomposed(runs: Runs, trainings: dict[str, list[str]], controls: dict[str, str]) -> list[Decomposed]:
    """The sides of every row's gaps; those that need a control only where there is one."""
    lossless, found = set(controls.values()), []
    for dataset, autoencoder, space, recipe in runs:
        if (space, recipe) == ("reconstruction", trainings["matched"][0]) and autoencoder not in lossless:
            control = controls.get(autoencoder)
            sides = sides_of_gaps(runs, dataset, autoencoder, trainings, control)
            refuse_other_folds(*chain.from_iterable(chain(*sides.values())))
            first, *again = sides[MATCHED][0]
            labels = {key: first[key].iloc[0] for key in ("dataset", "autoencoder", "recipe", "role")}
            labels["trainings"] = 1 + len(again)
            found.append(Decomposed(labels, control or NOT_APPLICABLE, sides))
    return found


def _tests(
    found: Sequence[Decomposed], metric: str, images: Mapping[str, Images]
) -> list[tuple[Decomposed, dict[str, dict]]]:
    """Every row with the test of each of its gaps."""
    if metric == HEADLINE_METRIC:
        return _over_groups(found, images)
    return [(one, _over_folds(one.sides, metric)) for one in found]


def _over_folds(sides: dict[str, Sides], metric: str) -> dict[str, dict]:
    gaps: dict[str, Cell] = {}
    for name, pair in sides.items():
        gaps[name] = paired_differences(*(_mean(side, metric) for side in pair), metric)
    if CONTROL in gaps:
        encoding = gaps[MATCHED].differences - gaps[CONTROL].differences
        gaps[ENCODING] = gaps[MATCHED]._replace(differences=encoding)
    return {name: corrected_t(gap.differences, gap.test_over_train) for name, gap in gaps.items()}


def _mean(trainings: list[pd.DataFrame], metric: str) -> pd.DataFrame:
    """The first of these runs with the mean score of all, fold by fold."""
    return trainings[0].assign(**{metric: np.mean([runs[metric] for runs in trainings], axis=0)})


def _over_groups(found: Sequence[Decomposed], images: Mapping[str, Images]) -> list[tuple[Decomposed, dict[str, dict]]]:
    """Every row, then every dataset's mean over its families.

    Gaps of one name share the variance between folds with those of the dataset's other autoencoders.
    """
    gaps = [image_by_image(one.sides, images[one.dataset]) for one in found]
    tested, families = [], {}
    for one, own in zip(found, gaps, strict=True):
        near = [pair for pair in zip(found, gaps, strict=True) if pair[0].shares_variance(one)]
        tested.append((one, _averaged_test([own], near, images[one.dataset])))
        if one.labels["role"] == "family":
            families[one.dataset] = near
    for dataset, near in families.items():
        mean = _averaged_test([own for _, own in near], near, images[dataset])
        tested.append((_mean_of([one for one, _ in near]), mean))
    return tested


def _averaged_test(
    cells: Sequence[dict[str, PairedRows]], near: Sequence[tuple[Decomposed, dict[str, PairedRows]]], images: Images
) -> dict[str, dict]:
    """The test of the mean over `cells` of every gap that all of them have; `near` share the variance between folds."""
    tests, controls = {}, {one.labels["autoencoder"]: one.control for one, _ in near}
    for name in KINDS:
        if all(name in gaps for gaps in cells):
            e = excess_of(name, {one.labels["autoencoder"]: gaps[name] for one, gaps in near if name in gaps}, controls)
            mean = averaged([gaps[name] for gaps in cells])
            tests[name] = tested_on(images, mean, e, limit_of(name))._asdict()
    return tests


def _mean_of(families: Sequence[Decomposed]) -> Decomposed:
    """The row of a dataset's mean; it has a control where all have the same."""
    first, *others = families
    same = all(other.control == first.control for other in others)
    labels = first.labels | {"autoencoder": NOT_APPLICABLE}
    return first._replace(labels=labels, control=first.control if same else NOT_APPLICABLE)


def _row(one: Decomposed, metric: str, tests: dict[str, dict]) -> dict:
    row = dict.fromkeys(GAP_COLUMNS, NOT_APPLICABLE) | one.labels | {"metric": metric, "control": one.control}
    row |= {"n": len(one.sides[MATCHED][0][0]), "method": tests[MATCHED]["method"]}
    for name, test in tests.items():
        row[name] = test["effect"]
        row |= {f"{name}{end}": test[key] for key, end in ENDS.items() if test.get(key) is not None}
    return row


def _corrected(rows: list[dict]) -> list[dict]:
    """The rows of one recipe and metric, with Holm's correction over the family cells that have a p."""
    cells = [row for row in rows if row["role"] == "family" and row["autoencoder"] != NOT_APPLICABLE]
    for row, p in zip(cells, holm([row[f"{ENCODING}_p"] for row in cells]), strict=True):
        row[CORRECTED] = p
    return rows
