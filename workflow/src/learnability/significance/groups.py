"""The gap tested over groups of images: of every cell, of every dataset, and over the datasets of the study."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import pandas as pd

from .cells import runs_by_cell, sides_of, sides_of_finetuning
from .group_level import GroupTest, PairedRows, averaged, excess, study_test
from .predictions import Images, paired_rows, tested_on
from .rows import CELL_TEST, DATASET_TEST, HEADLINE_METRIC, NOT_APPLICABLE, TEST_COLUMNS, row, table
from .t_tests import corrected_t

VARIANCES = ["df", "variance_sampling", "variance_training", "n_folds"]
GROUP_COLUMNS = [*TEST_COLUMNS, *VARIANCES]
OF_THESE, OF_A_FURTHER = "these_datasets", "further_dataset"  # what a test over datasets speaks of


class Compared(NamedTuple):
    """One comparison of one dataset and autoencoder."""

    comparison: str
    labels: dict[str, str]
    rows: PairedRows


def compared(
    metrics: pd.DataFrame, images: Mapping[str, Images], pairs: Iterable[tuple[str, str]] = ()
) -> list[Compared]:
    """Table 1's comparisons, image by image: reconstruction against latent and image, fine-tuned against its base.

    `metrics` are Table 1's runs with `right` (predictions.with_right), `images` by dataset.
    """
    runs = runs_by_cell(metrics)
    sides = [(f"reconstruction_vs_{space}", *both) for space in ("latent", "image") for both in sides_of(runs, space)]
    found = []
    for comparison, first, second in [*sides, *sides_of_finetuning(runs, pairs)]:
        labels = {key: first[key].iloc[0] for key in ("dataset", "autoencoder", "role")}
        found.append(Compared(comparison, labels, paired_rows(images[labels["dataset"]], [first], [second])))
    return found


def group_level(cells: Iterable[Compared], images: Mapping[str, Images]) -> pd.DataFrame:
    """Every cell, and every dataset averaged over its families; Holm over the family cells, and over the datasets.

    Cells of one comparison, dataset and role share the variance between folds. A fine-tuned autoencoder has one cell
    per dataset, which is the dataset's.
    """
    rows = []
    for (comparison, dataset, role), of_dataset in _together(cells).items():
        e = excess([cell.rows for cell in of_dataset])
        for cell in of_dataset:
            rows.append(row(CELL_TEST, comparison, result_of(tested_on(images[dataset], cell.rows, e)), **cell.labels))
        if role == "family" and comparison.startswith("reconstruction_vs_"):
            result = result_of(dataset_test(of_dataset, images[dataset]))
            rows.append(row(DATASET_TEST, comparison, result, dataset=dataset, role=role))
    return table(rows, together=lambda entry: (entry["test"], entry["comparison"]), columns=GROUP_COLUMNS)


def study_level(cells: Iterable[Compared], images: Mapping[str, Images]) -> pd.DataFrame:
    """The mean over datasets: tested for these datasets, and by a t over their means for a further one."""
    comparisons: dict[str, list[GroupTest]] = {}
    for (comparison, dataset, role), of_dataset in _together(cells).items():
        if role == "family":
            comparisons.setdefault(comparison, []).append(dataset_test(of_dataset, images[dataset]))
    rows = []
    for comparison, tests in comparisons.items():
        of_these = result_of(study_test(tests)) | {"n": len(tests)}
        further = dict.fromkeys(VARIANCES, NOT_APPLICABLE) | {"df": len(tests) - 1, "n_folds": of_these["n_folds"]}
        further |= corrected_t([test.effect for test in tests])
        rows.append(row(OF_THESE, comparison, of_these, role="family"))
        rows.append(row(OF_A_FURTHER, comparison, further, role="family"))
    return table(rows, columns=GROUP_COLUMNS)


def dataset_test(cells: Iterable[Compared], images: Images, limit: float = 1.0) -> GroupTest:
    """One dataset, every image averaged over the cells, which are autoencoders and share the variance of training."""
    rows = [cell.rows for cell in cells]
    return tested_on(images, averaged(rows), excess(rows), limit)


def _together(cells: Iterable[Compared]) -> dict[tuple[str, str, str], list[Compared]]:
    """Cells by comparison, dataset and role, in their order."""
    found: dict[tuple[str, str, str], list[Compared]] = {}
    for cell in cells:
        found.setdefault((cell.comparison, cell.labels["dataset"], cell.labels["role"]), []).append(cell)
    return found


def result_of(test: GroupTest) -> dict:
    """What a row of TEST_COLUMNS and VARIANCES says of a test."""
    kept = ("effect", "ci_low", "ci_high", "statistic", "p", "method", *VARIANCES)
    shown = {key: getattr(test, key) for key in kept}
    shown = {key: NOT_APPLICABLE if value is None else value for key, value in shown.items()}
    return {"n": test.n_groups, "alternative": "two-sided", "metric": HEADLINE_METRIC} | shown
