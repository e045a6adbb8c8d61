"""The published study's tests: the gap of every cell and over all, equivalence, fine-tuning, PSNR and the gap."""

from collections.abc import Iterable
from itertools import product

import numpy as np
import pandas as pd

from ..storage.contracts import SCORES
from .cells import (
    dataset_means,
    family_means,
    paired_differences,
    reconstruction_minus,
    refuse_doubtful,
    runs_by_cell,
    sides_of_finetuning,
)
from .correlation import correlation
from .ranks import signed_rank
from .rows import NOT_APPLICABLE, row, table
from .t_tests import t_rows, tost

ALTERNATIVES = {"latent": ["two-sided", "greater"], "image": ["two-sided", "greater", "less"]}


def latent_vs_reconstruction(metrics: pd.DataFrame) -> pd.DataFrame:
    """The gap of every cell: plain and corrected paired t-tests over folds, Holm over the family cells."""
    cells = [cell for metric in SCORES for cell in reconstruction_minus(metrics, "latent", metric)]
    return table([entry for cell in cells for entry in t_rows(cell, "reconstruction_vs_latent")])


def wilcoxon(metrics: pd.DataFrame) -> pd.DataFrame:
    """Signed-rank tests of fold means, over all family cells and over datasets (Wilcoxon 1945).

    The families of a dataset share its images and folds, so cells are not independent. `wilcoxon_pairs`, the paper's
    own test, treats them as independent: in simulated studies without a gap it finds one in 14 to 23 % of them, and it
    decides no verdict. `wilcoxon_datasets` averages over the families first. The null distribution is exact up to 22
    nonzero differences, above that normal with tie and continuity corrections; `method` says which.
    """
    rows = []
    for space, alternatives in ALTERNATIVES.items():
        means = family_means(reconstruction_minus(metrics, space))
        samples = {"wilcoxon_pairs": means["difference"], "wilcoxon_datasets": dataset_means(means)}
        rows += [
            row(test, f"reconstruction_vs_{space}", signed_rank(differences, alternative), role="family")
            for (test, differences), alternative in product(samples.items(), alternatives)
            if len(differences)
        ]
    return table(rows)


def equivalence(metrics: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Are reconstructions as good as images, within the margin? Two one-sided tests (Schuirmann 1987).

    Per cell over folds with the plain and the corrected standard error, Holm over the family cells of each;
    and once over datasets, each the mean over its folds and families.
    """
    comparison = "reconstruction_vs_image"
    cells = reconstruction_minus(metrics, "image")
    rows = []
    for cell in cells:
        for test, ratio in (("tost", 0.0), ("tost_corrected", cell.test_over_train)):
            rows.append(row(test, comparison, tost(cell.differences, margin, ratio), **cell.labels))
    over_datasets = dataset_means(family_means(cells))
    if len(over_datasets):
        rows.append(row("tost_datasets", comparison, tost(over_datasets, margin), role="family"))
    return table(rows)


def finetuning(metrics: pd.DataFrame, pairs: Iterable[tuple[str, str]]) -> pd.DataFrame:
    """Fine-tuned autoencoder against its base in both spaces: t-tests over folds, Holm over the datasets."""
    rows = []
    for comparison, *sides in sides_of_finetuning(runs_by_cell(metrics), pairs):
        rows += t_rows(paired_differences(*sides), comparison)
    return table(rows)


def fidelity_vs_gap(metrics: pd.DataFrame, fidelity: pd.DataFrame) -> pd.DataFrame:
    """Does PSNR predict the gap? Correlations over the family cells that have a finite PSNR.

    Over all cells, within datasets (both variables centred by dataset) and leaving one dataset out. An autoencoder has
    a fidelity and a gap of its own on all datasets, so p is by permutation of the autoencoders, jointly over datasets.
    """
    key = ["dataset", "autoencoder"]
    refuse_doubtful(fidelity, key, "psnr")
    pairs = family_means(reconstruction_minus(metrics, "latent")).merge(fidelity[[*key, "psnr"]], on=key)
    pairs = pairs[np.isfinite(pairs["psnr"])]
    datasets = pairs["dataset"].unique()
    # A dataset with one pair is only its own mean and says nothing about what happens within datasets.
    centred = pairs[pairs.duplicated("dataset", keep=False)].copy()
    for column in ("psnr", "difference"):
        centred[column] -= centred.groupby("dataset")[column].transform("mean")
    rows = []
    for kind in ("spearman", "pearson") if len(pairs) else ():
        samples = [
            (kind, NOT_APPLICABLE, pairs, 1),
            (f"{kind}_within_dataset", NOT_APPLICABLE, centred, centred["dataset"].nunique()),
            *((f"{kind}_leave_one_out", name, pairs[pairs["dataset"] != name], 1) for name in datasets),
        ]
        for test, dataset, sample, estimated_means in samples:
            result = correlation(kind, sample["psnr"], sample["difference"], sample[key], estimated_means)
            rows.append(row(test, "psnr_vs_gap", result, dataset=dataset, role="family"))
    return table(rows)
