"""Means over folds or images, and what they refuse: missing or repeated runs, values that are no numbers."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from ..errors import InputError
from ..significance.rows import BOTH, CELL_TEST
from ..storage.contracts import SCORES

CELL = ["dataset", "autoencoder", "metric", "comparison"]
IDENTITY = ["dataset", "autoencoder", "role", "space", "recipe"]
SCORE_COLUMNS = [*IDENTITY, "metric", "mean", "sd", "n_folds"]
OVER_FOLDS = "corrected_paired_t"


def mean_scores(metrics: pd.DataFrame, folds: Sequence[int], title: str) -> pd.DataFrame:
    """SCORE_COLUMNS: mean and sd (ddof 1) over folds per cell; a single fold gives sd 0.0, and n_folds 1 says why."""
    if metrics.empty:
        raise InputError(f"{title}: no metrics; expected one row per cell and fold; train the runs first")
    rows = []
    for key, runs in metrics.groupby(IDENTITY, sort=False, dropna=False):
        where = f"{title}: {named(zip(IDENTITY, key, strict=True))}"
        rows += [(*key, *scores) for scores in score_rows(runs, folds, where)]
    return pd.DataFrame(rows, columns=SCORE_COLUMNS)


def score_rows(runs: pd.DataFrame, folds: Sequence[int], where: str) -> list[tuple]:
    """(metric, mean, sd with ddof 1, number of folds) of a cell, which must have each fold once and no other."""
    refuse_wrong_folds(runs, folds, where)
    # Sums depend on the order of their terms, and the table must be the same bytes every time.
    runs = runs.sort_values("fold")
    return [(metric, *mean_and_sd(runs[metric]), len(runs)) for metric in SCORES]


def refuse_wrong_folds(runs: pd.DataFrame, folds: Sequence[int], where: str) -> None:
    """Raise unless the cell has each fold once and no other, with a finite value of every metric."""
    found = runs["fold"].value_counts(dropna=False)
    for fold in [*folds, *found.index]:
        if found.get(fold, 0) != int(fold in folds):
            problem = f"has {found[fold]} row(s)" if fold in found else "is missing"
            raise InputError(f"{where}, fold {fold} {problem}; expected folds {list(folds)}, one row each")
    for metric in SCORES:
        for fold in runs.loc[~np.isfinite(runs[metric].astype(float)), "fold"]:
            raise InputError(f"{where}, fold {fold}: {metric} is not a finite number; evaluate that run again")


def mean_and_sd(column: pd.Series) -> tuple[float, float]:
    """Mean and sd with ddof 1 (one value: 0) of finite values, or of values that are all infinite: inf and 0."""
    values = column.to_numpy(dtype=np.float64)
    if np.isinf(values).all():
        return np.inf, 0.0
    return values.mean(), values.std(ddof=1) if len(values) > 1 else 0.0


def named(pairs: Iterable[tuple[str, object]]) -> str:
    return ", ".join(f"{name} {value}" for name, value in pairs)


def cells_by(table: pd.DataFrame, keys: list[str]) -> dict[tuple, dict]:
    """The rows of a long table by their keys; two rows for one printed cell are an error."""
    for key in table.loc[table.duplicated(keys), keys].itertuples(index=False):
        where = named(zip(keys, key, strict=True))
        raise InputError(f"two rows for {where}; a table prints one recipe per autoencoder and space")
    return table.set_index(keys).to_dict("index")


def corrected_p(tests: pd.DataFrame) -> dict[tuple[str, ...], float]:
    """Corrected p by (dataset, autoencoder, metric, comparison); 1 if it could not be tested."""
    corrected = tests[tests["test"].isin([OVER_FOLDS, CELL_TEST])]
    keys = corrected[CELL].itertuples(index=False, name=None)
    return {key: 1.0 if p == "n/a" else float(p) for key, p in zip(keys, corrected["p_corrected"], strict=True)}


def deciding_tests(over_folds: pd.DataFrame, over_groups: pd.DataFrame) -> pd.DataFrame:
    """The test that decides of every cell of latent_vs_reconstruction.csv.

    For balanced accuracy it is that of group_level.csv, if its variance includes that of training; else the corrected t
    over folds.
    """
    deciding = over_groups[(over_groups["test"] == CELL_TEST) & (over_groups["method"] == BOTH)]
    folds = over_folds[over_folds["test"] == OVER_FOLDS]
    cells = pd.MultiIndex.from_frame(folds[CELL])
    deciding = deciding[pd.MultiIndex.from_frame(deciding[CELL]).isin(cells)]
    others = folds[~cells.isin(pd.MultiIndex.from_frame(deciding[CELL]))]
    return pd.concat([deciding, others], ignore_index=True)
