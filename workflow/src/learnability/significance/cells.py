"""Differences of scores over folds, paired by fold: what every test starts from."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..errors import InputError
from .rows import HEADLINE_METRIC

TABLE1_CELL = ("dataset", "autoencoder", "space")
ANY_CELL = (*TABLE1_CELL, "recipe")
Runs = dict[tuple[str, ...], pd.DataFrame]


class Cell(NamedTuple):
    """Differences over the folds of one dataset and autoencoder, with the labels of their row."""

    labels: dict[str, str]
    differences: np.ndarray
    test_over_train: float


def runs_by_cell(metrics: pd.DataFrame, metric: str = HEADLINE_METRIC, cell: Sequence[str] = TABLE1_CELL) -> Runs:
    """The runs of each cell by fold, in order of appearance; Table 1 has one recipe per space, so it needs no name."""
    refuse_doubtful(metrics, [*cell, "fold"], metric)
    return {key: runs.set_index("fold").sort_index() for key, runs in metrics.groupby([*cell], sort=False)}


def runs_of(runs: Runs, *cell: str) -> pd.DataFrame:
    """The runs of one cell; if it has none, an error names it."""
    if cell not in runs:
        where = "dataset {}, autoencoder {}, space {}, recipe {}".format(*cell)
        raise InputError(f"{where} has no runs, and a comparison needs them; train them first")
    return runs[cell]


def refuse_doubtful(frame: pd.DataFrame, key: list[str], value: str) -> None:
    """Stops at the first row that is there twice or has no value, naming it."""
    doubtful = frame[frame.duplicated(key) | frame[value].isna()]
    if len(doubtful):
        named = ", ".join(f"{column} {doubtful[column].iloc[0]}" for column in key)
        raise InputError(f"{named}: appears twice or has no {value}; expected exactly one row with a value")


def paired_differences(minuend: pd.DataFrame, subtrahend: pd.DataFrame, metric: str = HEADLINE_METRIC) -> Cell:
    """First minus second over the folds, which must be the same on both sides; labelled as the first."""
    refuse_other_folds(minuend, subtrahend)
    first = minuend.iloc[0]
    labels = {"metric": metric} | {key: first[key] for key in ("dataset", "autoencoder", "role")}
    differences = (minuend[metric] - subtrahend[metric]).to_numpy(dtype=float)
    return Cell(labels, differences, float((minuend["n_test"] / minuend["n_train"]).mean()))


def refuse_other_folds(*cells: pd.DataFrame) -> None:
    """Stops at the first cell that lacks a fold of another, naming it."""
    for present, wanted in product(cells, cells):
        missing = wanted.index.difference(present.index).tolist()
        if missing:
            where = "dataset {dataset}, autoencoder {autoencoder}, space {space}, recipe {recipe}"
            where = where.format(**present.iloc[0])
            raise InputError(f"{where} lacks fold(s) {missing} of the side it is paired with; run those")


def reconstruction_minus(metrics: pd.DataFrame, space: str, metric: str = HEADLINE_METRIC) -> list[Cell]:
    """Reconstruction minus the other space for every dataset and autoencoder that has both."""
    return [paired_differences(*sides, metric) for sides in sides_of(runs_by_cell(metrics, metric), space)]


def sides_of(runs: Runs, space: str) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """The runs of reconstructions and of the other space, of every dataset and autoencoder that has both."""
    for first in [key for key in runs if key[2] == "reconstruction"]:
        # The images themselves are there once per dataset, not once per autoencoder.
        second = (first[0], "original" if space == "image" else first[1], space)
        if second in runs:
            yield runs[first], runs[second]


def sides_of_finetuning(
    runs: Runs, pairs: Iterable[tuple[str, str]]
) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Comparison, runs of the fine-tuned autoencoder and of its base: per pair and space, every dataset with both."""
    spaces = {"latent": "", "reconstruction": "_in_reconstruction"}
    for (finetuned, base), space in product(pairs, spaces):
        for dataset in dict.fromkeys(key[0] for key in runs):
            first, second = (dataset, finetuned, space), (dataset, base, space)
            if first in runs and second in runs:
                yield f"{finetuned}_vs_{base}{spaces[space]}", runs[first], runs[second]


def family_means(cells: Iterable[Cell]) -> pd.DataFrame:
    """Mean differences over folds of the families: controls stay out of every test over families."""
    means = [cell.labels | {"difference": cell.differences.mean()} for cell in cells]
    means = pd.DataFrame(means, columns=["dataset", "autoencoder", "role", "difference"])
    return means[means["role"] == "family"]


def dataset_means(means: pd.DataFrame) -> pd.Series:
    """One difference per dataset: the mean over its families."""
    return means.groupby("dataset", sort=False)["difference"].mean()
