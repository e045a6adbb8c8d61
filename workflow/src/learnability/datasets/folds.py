"""Grouped, stratified folds: identical for all spaces, autoencoders and recipes (docs/protocol.md)."""

import numpy as np
import pandas as pd

from ..errors import InputError, first_of
from ..storage.contracts import FOLDS, check_groups
from ..study.words import counted

FEW = 3  # groups of a class in a test fold; with fewer, a single one decides much of a score


def make_folds(samples: pd.DataFrame, n_splits: int, seed: int, rare_classes: str, origin: str) -> pd.DataFrame:
    """Assign each sample to one of `n_splits` folds, stratified by class; groups stay whole.

    Uses StratifiedGroupKFold, as the paper's code does. Returns sample_id and fold (0-based). `rare_classes` decides
    about a class that is missing from some fold: "keep" accepts it and reports it; any other value is an InputError.
    """
    if n_splits < 3:
        raise InputError(f"study.n_splits is {n_splits}; at least 3 are needed: train, validation and test")
    check_rare_classes(samples, n_splits, rare_classes, origin)
    fold = assign_folds(samples, n_splits, seed, origin)
    check_groups(samples["group"].to_numpy(), fold, origin)
    check_absent_classes(samples, fold, rare_classes, origin)
    for text in warnings_of_folds(samples, n_splits):
        print(f"warning: {origin}: {text}")
    print(pd.crosstab(samples["label_name"], fold, colnames=["images per fold"]).to_string())
    return pd.DataFrame({"sample_id": samples["sample_id"], "fold": fold})[FOLDS]


def assign_folds(samples: pd.DataFrame, n_splits: int, seed: int, origin: str) -> np.ndarray:
    """The fold of every sample, from labels and groups; InputError if there are too few groups to fill the folds."""
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(n_splits=n_splits, shuffle=True, random_state=seed)
    fold = np.full(len(samples), -1)
    try:
        for k, (_, test) in enumerate(splitter.split(samples, samples["label"], samples["group"])):
            fold[test] = k
    except ValueError as error:  # every class has fewer images than there are folds
        raise InputError(f"{origin}: {error} Lower study.n_splits, or add images") from None
    if (fold < 0).any() or len(np.unique(fold)) != n_splits:
        raise InputError(
            f"{origin}: {counted(samples['group'].nunique(), 'group')} cannot fill {counted(n_splits, 'fold')}"
        )
    return fold


def check_absent_classes(samples: pd.DataFrame, fold: np.ndarray, rare_classes: str, origin: str) -> None:
    """Stop at, or report, classes that are missing from some of the folds just made.

    This can happen to a class with enough groups, if groups hold several classes or differ much in size.
    """
    table = pd.crosstab(samples["label_name"], fold)
    absent = {label: [int(k) for k in table.columns[row == 0]] for label, row in table.iterrows() if (row == 0).any()}
    if not absent:
        return
    groups = samples.groupby("label_name")["group"].nunique()
    texts = (
        f"{label!r} ({counted(groups[label], 'group')}) from fold{'s' * (len(folds) > 1)} {', '.join(map(str, folds))}"
        for label, folds in absent.items()
    )
    listed = first_of([*texts], between="; ")
    if rare_classes == "keep":
        print(f"warning: {origin}: kept although absent from some folds: {listed}")
        return
    raise InputError(
        f"{origin}: absent from some folds: {listed}. Their groups hold several classes, or differ much "
        "in size, so enough groups are no guarantee. Set rare_classes of the dataset to `keep` (accept folds "
        "without them; metrics then say how many classes were used), lower study.n_splits, change `seed`, or take "
        "the class out of the data"
    )


def largest_group(samples: pd.DataFrame) -> dict:
    """The largest group: its images, their share of all, and the most folds of equal size in which it still fits."""
    images = int(samples["group"].value_counts().iloc[0])
    return {"images": images, "share": images / len(samples), "most_folds": len(samples) // images}


def warnings_of_folds(samples: pd.DataFrame, n_splits: int) -> list[str]:
    """Warnings about the folds of these samples that are known before the folds are made."""
    return warn_of_large_group(samples, n_splits) + warn_of_small_classes(samples, n_splits)


def warn_of_small_classes(samples: pd.DataFrame, n_splits: int) -> list[str]:
    """Warn if a class has so few groups that a single one decides its recall in a fold."""
    groups = samples.groupby("label_name")["group"].nunique()
    few = groups[groups < FEW * n_splits]
    if few.empty:
        return []
    listed = first_of([f"{label!r} ({count})" for label, count in few.items()])
    return [
        f"fewer than {FEW} groups for each of the {n_splits} folds in class(es) {listed}: in a test fold one group "
        "decides much of the class's recall; lower study.n_splits, add images, or read its scores with that in mind"
    ]


def warn_of_large_group(samples: pd.DataFrame, n_splits: int) -> list[str]:
    """Warn if the largest group is larger than a fold should be, because the folds then cannot be balanced."""
    largest = largest_group(samples)
    if largest["most_folds"] >= n_splits:
        return []
    return [
        f"the largest group has {largest['images']} of {len(samples)} images ({largest['share']:.0%}): not more than "
        f"{counted(largest['most_folds'], 'fold')} can be balanced; if it is no one patient or lesion, mend its name"
    ]


def check_rare_classes(samples: pd.DataFrame, n_splits: int, rare_classes: str, origin: str) -> None:
    """Stop at, or report, classes that cannot be in every fold."""
    rare = find_rare_classes(samples, n_splits)
    if not rare:
        return
    listed = first_of([f"{name} ({count})" for name, count in rare.items()])
    if rare_classes != "keep":
        raise InputError(
            f"{origin}: fewer groups than the {n_splits} folds in class(es) {listed}, so some folds would lack "
            "them. Set rare_classes of the dataset to `drop` (leave these classes out) or `keep` (accept folds "
            "without them; metrics then say how many classes were used), or lower study.n_splits"
        )
    print(f"kept although rarer than {n_splits} groups: {listed}")


def find_rare_classes(samples: pd.DataFrame, n_splits: int) -> dict[str, int]:
    """Return the classes with fewer groups than folds, and their number of groups."""
    groups = samples.groupby("label_name")["group"].nunique()
    return {name: int(count) for name, count in groups.items() if count < n_splits}
