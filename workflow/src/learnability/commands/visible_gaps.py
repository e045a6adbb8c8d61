"""The smallest gap that a study could see on each of its datasets, before anything runs."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..datasets.classes import rare_classes
from ..datasets.published_sizes import published_classes
from ..datasets.source import open_source, opens_at_once
from ..significance.group_level import FEWEST_FOLDS
from ..significance.visible import (
    ALONE,
    DISAGREEMENT,
    POWER,
    SHARED,
    TRAINING,
    WITHIN_GROUP,
    class_variances,
    share_of_mean,
    smallest_gap,
    times_corrected,
)
from ..storage.contracts import read_parquet
from ..study.cells import ALL_SPACES, decodes
from ..study.paths import dataset_file
from ..study.words import counted
from ..tables.layout import points
from .missing import check_dataset

SIDES = ALL_SPACES - {"image"}  # the two sides of the gap


@dataclass(frozen=True)
class Visible:
    """The smallest gap of a dataset, for one autoencoder and for the mean of `autoencoders`, and what it rests on.

    Gaps are differences of balanced accuracies. `rarest` is the class that adds most to the variance ("" if all add the
    same), with its test images and groups and its `share`; `flatters` is whether the truth can only be worse.
    """

    dataset: str
    cell: float
    mean: float
    autoencoders: int
    rarest: str
    images: float
    groups: float
    share: float
    origin: str
    flatters: bool


def visible_gaps(config: dict) -> list[Visible]:
    """An entry for each dataset of the study whose classes can be counted; none if no gap is measured."""
    study = config["study"]
    names = [name for name in study["autoencoders"] if decodes(config, name)]
    families = sum(config["autoencoders"][name]["role"] == "family" for name in names)
    if not set(study["spaces"]) >= SIDES or not families:
        return []
    return [found for name in study["datasets"] if (found := visible_gap(config, name, families))]


def visible_gap(config: dict, name: str, autoencoders: int) -> Visible | None:
    """The smallest gap of one dataset; None if the sizes of its classes are unknown."""
    counted = count_classes(config, name)
    if counted is None:
        return None
    images, groups, origin, flatters = counted
    labels = [label for label, number in images.items() if number]
    sides = [images[label] for label in labels], [groups[label] for label in labels]
    variances, cell = class_variances(*sides), smallest_gap(*sides, alone=autoencoders == 1)
    worst = int(variances.argmax())
    share = float(variances[worst] / variances.sum())
    rarest = "" if np.allclose(variances, variances[0]) else labels[worst]
    of_class = rarest, sides[0][worst], sides[1][worst], share
    mean = cell * share_of_mean(autoencoders)
    return Visible(name, cell, mean, autoencoders, *of_class, origin, flatters)


def count_classes(config: dict, name: str) -> tuple[dict, dict, str, bool] | None:
    """Images and groups of each class in the test folds that are run, their source, and whether they flatter.

    Counts the folds if they exist, else their share of the prepared dataset, the data, or the published numbers.
    """
    study, entry = config["study"], config["datasets"][name]
    part = len(study["folds"]) / study["n_splits"]
    samples = Path(config["results"], dataset_file(name, "samples.parquet"))
    folds = Path(config["results"], "folds", f"{name}.parquet")
    if samples.is_file():
        rows, origin = read_parquet(samples), "prepared"
        if folds.is_file():
            run = read_parquet(folds).query("fold in @study['folds']")["sample_id"]
            rows, part, origin = rows[rows["sample_id"].isin(run)], 1, "folds"
    elif opens_at_once(entry) and not check_dataset(config, {"dataset": name}):
        rows, origin = open_source(entry).samples, "counted"
        if entry["rare_classes"] == "drop":
            rows = rows[~rows["label_name"].isin(rare_classes(rows, [], study["n_splits"]))]
    elif published := published_classes(entry):
        images, groups, origin, flatters = published
        shares = ({label: number * part for label, number in counts.items()} for counts in (images, groups))
        return *shares, origin, flatters
    else:
        return None
    by_class = rows.groupby("label_name")["group"]
    return *((counts * part).to_dict() for counts in (by_class.size(), by_class.nunique())), origin, False


def in_words(found: Visible) -> str:
    """The line of `check`: the smallest gap of a dataset."""
    least = "at least " if found.flatters else ""
    mean = f", {points(found.mean)} for the mean of {found.autoencoders}" if found.autoencoders > 1 else ""
    text = f"smallest gap that would be seen: {least}{points(found.cell)} points for one autoencoder{mean}"
    most = f"{most_of_variance(found)} of the variance; " if found.rarest else ""
    return f"{text} ({most}{found.origin})"


def most_of_variance(found: Visible) -> str:
    """The class that adds most to the variance, as 'DF, 239 test images of 113 groups: 35%'; "" if there is none."""
    if not found.rarest:
        return ""
    groups = "" if found.groups == found.images else f" of {counted(round(found.groups), 'group')}"
    return f"{found.rarest}, {counted(round(found.images), 'test image')}{groups}: {found.share:.0%}"


def reading(config: dict, found: list[Visible]) -> list[str]:
    """What the smallest gaps rest on, and what would halve them."""
    folds, n_splits = len(config["study"]["folds"]), config["study"]["n_splits"]
    tests = sum(each.autoencoders for each in found)
    added = (ALONE if all(each.autoencoders == 1 for each in found) else TRAINING) - 1
    corrected = f"p of {tests} under Holm's correction, a gap must be {times_corrected(tests):.1f} times as large."
    lines = [
        f"Seen means found in {POWER:.0%} of studies by a single two-sided test over groups."
        + (f" To be found as the smallest {corrected}" if tests > 1 else ""),
        f"Assumed before training: two classifiers differ on {DISAGREEMENT:.0%} of the images, differences "
        f"that correlate by {WITHIN_GROUP:g} within a group; training adds {added:.0%} to the variance; gaps of "
        f"two autoencoders on a dataset correlate by {SHARED:g}. After a run the summary has the measured values.",
        "Four times as many groups in every class halve this gap. More images of the same groups do not, nor do more "
        f"autoencoders: the mean stays above {SHARED**0.5:.0%} of one. Replicates only average out what the seed "
        "changes: the test images stay the same.",
    ]
    if folds < n_splits:
        lines.append(f"{folds} of {n_splits} folds are run; all of them would make it {(folds / n_splits) ** 0.5:.0%}.")
    if folds < FEWEST_FOLDS:
        lines.append(
            f"With fewer than {FEWEST_FOLDS} folds the variance of training is not known: no verdict on the gap."
        )
    return lines
