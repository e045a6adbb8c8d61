"""Which test images a run got right: what the tests over groups start from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..errors import InputError
from ..storage.contracts import read_folds, read_json, read_metrics, read_samples, read_test_predictions, split_rows
from .cells import refuse_other_folds
from .group_level import GroupTest, PairedRows, group_test, training_overlap

RIGHT = "right"  # a column beside the metrics of a run: bool (n_test,), in the order of the dataset's images


class Images(NamedTuple):
    """The images of a dataset, in its order."""

    sample_id: pd.Index
    label: np.ndarray  # (N,) int
    fold: np.ndarray  # (N,) int, -1 of images in none
    group: np.ndarray  # (N,) int codes
    n_splits: int

    def overlap(self, folds: Sequence[int]) -> float:
        """Mean overlap of the training groups of these folds."""
        return training_overlap(self.group, self.fold, folds, self.n_splits)


def read_images(samples: str | Path, folds: str | Path, n_splits: int) -> Images:
    """The images of one dataset, from samples.parquet and its file of folds."""
    frame = read_samples(samples)
    fold = read_folds(folds, frame)
    label = frame["label"].to_numpy()
    return Images(pd.Index(frame["sample_id"]), label, fold, pd.factorize(frame["group"])[0], n_splits)


def read_all_images(files: Mapping) -> dict[str, Images]:
    """The images of several datasets by name.

    `files` are inputs of a job: paths of `cards`, `samples` and `folds` in the same order, and of `study`.json.
    """
    n_splits = read_json(files["study"])["n_splits"]
    datasets = zip(files["cards"], files["samples"], files["folds"], strict=True)
    return {read_json(card)["dataset"]: read_images(*paths, n_splits) for card, *paths in datasets}


def read_answers(files: Mapping) -> tuple[pd.DataFrame, dict[str, Images]]:
    """Runs with the column `right`, and the images of their datasets.

    `files` as in read_all_images, with the `metrics` and `predictions` of the runs in the same order.
    """
    images = read_all_images(files)
    return with_right(read_metrics(files["metrics"]), files["predictions"], images), images


def with_right(metrics: pd.DataFrame, paths: Sequence[str | Path], images: Mapping[str, Images]) -> pd.DataFrame:
    """Runs with the column `right`; `paths` are their predictions in the same order, `images` by dataset."""
    runs = zip(paths, metrics["dataset"], metrics["fold"], strict=True)
    right = [read_right(path, images[dataset], fold) for path, dataset, fold in runs]
    return metrics.assign(**{RIGHT: pd.Series(right, index=metrics.index, dtype=object)})


def read_right(path: str | Path, images: Images, fold: int) -> np.ndarray:
    """Whether the most probable class of each test image is its own: bool, in the order of the dataset.

    The file must be of exactly the images that lie in the fold, with their labels; else an InputError.
    """
    sample_id, label, predicted = read_test_predictions(path)
    return (predicted == label)[order_of_split(path, sample_id, label, images, fold, "test")]


def order_of_split(
    path: str | Path, sample_id: pd.Series, label: np.ndarray, images: Images, fold: int, split: str
) -> np.ndarray:
    """The order (n,) in which these rows of a file stand as in the dataset.

    They must be exactly the images of that split of a fold, with their labels; else an InputError.
    """
    expected = split_rows(images.fold, fold, images.n_splits)[split]
    row = images.sample_id.get_indexer(sample_id)
    order = np.argsort(row)
    if not (np.array_equal(row[order], expected) and np.array_equal(label[order], images.label[expected])):
        raise InputError(
            f"{path}: its {split} rows are not the {len(expected)} {split} images of fold {fold} with their labels; "
            "delete the run and train it again"
        )
    return order


def answers(images: Images, runs: pd.DataFrame) -> PairedRows:
    """Which test images the runs of a cell got right: the difference from a classifier that is never right."""
    return paired_rows(images, [runs], [runs.assign(**{RIGHT: [np.zeros_like(right) for right in runs[RIGHT]]})])


def tested_on(images: Images, rows: PairedRows, e: float | None, limit: float = 1.0) -> GroupTest:  # noqa: PT028
    """The test of rows of these images, with the `e` that they share, the overlap of the folds run, and `limit`."""
    return group_test(rows, e, images.overlap(rows.folds()), limit)


def as_score(test: GroupTest) -> GroupTest:
    """The test of `answers`: a score is at least 0, and so is its interval."""
    return test if test.ci_low is None else test._replace(ci_low=max(0.0, test.ci_low))


def paired_rows(images: Images, first: Sequence[pd.DataFrame], second: Sequence[pd.DataFrame]) -> PairedRows:
    """First minus second of every test image; a side is one frame of runs by fold for each of its replicates."""
    refuse_other_folds(*first, *second)
    folds = first[0].index
    rows = np.concatenate([np.flatnonzero(images.fold == fold) for fold in folds])

    def side(replicates: Sequence[pd.DataFrame]) -> np.ndarray:
        return np.mean([np.concatenate([runs[RIGHT][fold] for fold in folds]) for runs in replicates], axis=0)

    return PairedRows(side(first) - side(second), images.label[rows], images.fold[rows], images.group[rows])
