"""What a collection's classes must satisfy: at least two, none empty, and enough groups for every fold."""

from collections.abc import Iterable

import pandas as pd

from ..errors import InputError, quoted
from ..storage.contracts import PREDICTIONS, split_rows
from .duplicates import check_choice
from .folds import assign_folds, check_absent_classes, check_rare_classes, find_rare_classes
from .source import Source
from .splits import check_split


def check_labels(name: str, entry: dict, source: Source, n_splits: int, seed: int, folds: Iterable[int] = ()) -> None:
    """Refuse the classes that this step, the folds or a training would refuse if all images are readable and differ.

    With `deduplicate` the folds depend on the images, so only the numbers of groups are checked.
    `folds` are those that are trained.
    """
    check_choice(name, entry)
    samples, classes, origin = source.samples, source.classes, f"datasets.{name}"
    if entry["rare_classes"] == "drop":
        rare = rare_classes(samples, classes, n_splits)
        samples, classes = samples[~samples["label_name"].isin(rare)], [each for each in classes if each not in rare]
    check_classes(name, entry, classes, samples, settled=entry["rare_classes"] != "drop")
    samples, keep = with_labels(samples, classes), entry["rare_classes"] == "keep"
    if not keep:
        check_rare_classes(samples, n_splits, entry["rare_classes"], origin)
    if entry.get("deduplicate"):  # it may merge groups and so change the folds
        return
    fold = assign_folds(samples, n_splits, seed, origin)
    if not keep:
        check_absent_classes(samples, fold, entry["rare_classes"], origin)
    for k in folds:
        split = split_rows(fold, k, n_splits)
        check_split(samples["label"].to_numpy(), split, classes, entry.get("positive"), f"{origin}: fold {k}")


def check_classes(name: str, entry: dict, classes: list[str], samples: pd.DataFrame, settled: bool) -> None:
    """Refuse empty classes, names that predictions use, fewer than two classes, and a wrong `positive`.

    Until the classes are `settled` one more may turn out to be rare and be dropped, so that two are left.
    """
    present = set(samples["label_name"].unique())
    empty = [label for label in classes if label not in present]
    if empty:
        raise InputError(
            f"datasets.{name}: no image of class(es) {quoted(empty)}; remove them from `classes`, or set "
            "`rare_classes: drop`"
        )
    if len(classes) < 2:
        raise InputError(f"datasets.{name}: only one class, {classes}; a classifier needs two")
    if taken := [label for label in classes if label in PREDICTIONS]:
        raise InputError(
            f"datasets.{name}: a class is called {taken[0]!r}, as a column of every predictions.parquet is, beside "
            "which each class has its own; rename it"
        )
    positive = entry.get("positive")
    if positive is not None and len(classes) > 2 and (settled or positive not in classes):
        raise InputError(
            f"datasets.{name}.positive is {positive!r}; it is for two classes, and there are {len(classes)}: take it "
            "out"
        )
    if positive not in classes and len(classes) == 2:
        raise InputError(f"datasets.{name}.positive is {positive!r}; name the positive one of {classes}")


def rare_classes(samples: pd.DataFrame, classes: list[str], n_splits: int) -> dict[str, int]:
    """The classes with fewer groups than folds (also those without any image), and their numbers of groups."""
    absent = sorted(set(classes) - set(samples["label_name"].unique()))
    return find_rare_classes(samples, n_splits) | dict.fromkeys(absent, 0)


def with_labels(samples: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """Add the column label, the index of the class."""
    label = pd.Categorical(samples["label_name"], categories=classes).codes
    return samples.assign(label=label.astype("int64"))
