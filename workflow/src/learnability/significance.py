"""Significance of the learnability gap: tests over folds, cells and datasets, equivalence, correlation.

A difference is always the first side of `comparison` minus the second. Every table has the columns `COLUMNS`;
what does not apply, or is not defined for the data at hand, is the string "n/a", never NaN.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

LABELS = ["test", "comparison", "dataset", "autoencoder", "metric", "role"]
TESTED = ["n", "statistic", "p", "alternative", "method", "correction", "p_corrected"]
COLUMNS = [*LABELS, *TESTED, "effect", "ci_low", "ci_high"]
HEADLINE_METRIC = "balanced_accuracy"
METRICS = (HEADLINE_METRIC, "auc", "mcc")
NOT_APPLICABLE = "n/a"
DEGENERATE = {"method": "degenerate"}
ALPHA = 0.05
ALTERNATIVES = {"latent": ["two-sided", "greater"], "image": ["two-sided", "greater", "less"]}
LARGEST_EXACT_N = 22  # all 2^22 sign flips, some four million, are counted
# Scores lie in [-1, 1]: a spread below this is rounding, such as that of 0.3 - 0.2 against 0.2 - 0.1.
ROUNDING = 1e-12
CellKey = tuple[str, str, str]
Runs = dict[CellKey, pd.DataFrame]


class Cell(NamedTuple):
    """Differences over the folds of one dataset and autoencoder, with the labels of their row."""

    labels: dict[str, str]
    differences: np.ndarray
    test_over_train: float


def latent_vs_reconstruction(metrics: pd.DataFrame) -> pd.DataFrame:
    """The gap of every cell: plain and corrected paired t-tests over folds, Holm over the family cells."""
    cells = [cell for metric in METRICS for cell in reconstruction_minus(metrics, "latent", metric)]
    return table([entry for cell in cells for entry in t_rows(cell, "reconstruction_vs_latent")])


def wilcoxon(metrics: pd.DataFrame) -> pd.DataFrame:
    """Signed-rank tests of fold means, over all family cells and over datasets (Wilcoxon 1945).

    The families of a dataset share its images and folds, so cells are not independent: `wilcoxon_datasets`
    averages over the families first. The null distribution is exact up to 22 nonzero differences, above that
    normal with tie and continuity corrections; `method` says which.
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
    runs = runs_by_cell(metrics)
    rows = []
    spaces = {"latent": "", "reconstruction": "_in_reconstruction"}
    for (finetuned, base), space, dataset in product(pairs, spaces, metrics["dataset"].unique()):
        first, second = (dataset, finetuned, space), (dataset, base, space)
        if first in runs and second in runs:
            cell = paired_differences(runs, first, second)
            rows += t_rows(cell, f"{finetuned}_vs_{base}{spaces[space]}")
    return table(rows)


def fidelity_vs_gap(metrics: pd.DataFrame, fidelity: pd.DataFrame) -> pd.DataFrame:
    """Does PSNR predict the gap? Correlations over the family cells that have a finite PSNR.

    Over all cells, within datasets (both variables centred by dataset) and leaving one dataset out. Within
    datasets, Pearson's p and interval count the dataset means as estimated (fixed effects: n - datasets - 1
    degrees of freedom), Spearman's p is scipy's for the centred values (n - 2); `method` gives the number.
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
            result = correlation(kind, sample["psnr"], sample["difference"], estimated_means)
            rows.append(row(test, "psnr_vs_gap", result, dataset=dataset, role="family"))
    return table(rows)


def corrected_t(differences: Sequence[float], test_over_train: float = 0.0) -> dict:
    """Two-sided t-test for overlapping training sets, at ratio 0 the plain one (Nadeau and Bengio 2003)."""
    n, effect = len(differences), float(np.mean(differences))
    error = standard_error(differences, test_over_train)
    result = {"n": n, "effect": effect, "alternative": "two-sided", "method": f"t_df_{n - 1}"}
    if error > 0.0:
        statistic, half = effect / error, error * stats.t.ppf(1 - ALPHA / 2, n - 1)
        p = 2 * stats.t.sf(abs(statistic), n - 1)
        return result | {"statistic": statistic, "p": p, "ci_low": effect - half, "ci_high": effect + half}
    if n > 1 and abs(effect) < ROUNDING:
        return result | {"statistic": 0.0, "p": 1.0, "effect": 0.0} | DEGENERATE
    return result | DEGENERATE


def tost(differences: Sequence[float], margin: float, test_over_train: float = 0.0) -> dict:
    """The worse of two one-sided t-tests of a mean within ±margin, with 90% interval (Schuirmann 1987)."""
    if not margin > 0:
        raise ValueError(f"equivalence margin is {margin}; expected a number above 0, such as 0.02")
    n, effect = len(differences), float(np.mean(differences))
    error = standard_error(differences, test_over_train)
    result = {"n": n, "effect": effect, "alternative": "equivalence", "method": f"tost_margin_{margin:g}"}
    if error == 0.0:
        return result | DEGENERATE
    null, above, below = stats.t(n - 1), (effect + margin) / error, (effect - margin) / error
    p, statistic = max((null.sf(above), above), (null.cdf(below), below))
    half = error * null.ppf(1 - ALPHA)
    return result | {"statistic": statistic, "p": p, "ci_low": effect - half, "ci_high": effect + half}


def standard_error(differences: Sequence[float], test_over_train: float) -> float:
    """Standard error s·sqrt(1/k + n_test/n_train) of a mean over k folds; 0.0 where there is no variance."""
    k = len(differences)
    spread = np.std(differences, ddof=1) if k > 1 else 0.0
    return 0.0 if spread < ROUNDING else float(spread * np.sqrt(1 / k + test_over_train))


def signed_rank(differences: Sequence[float], alternative: str) -> dict:
    """Signed-rank test, zeros dropped, mid-ranks for ties; statistic: sum of positive ranks (Wilcoxon)."""
    differences = np.asarray(differences, dtype=float)
    nonzero = differences[differences != 0.0]
    result = {"n": len(nonzero), "alternative": alternative, "effect": float(differences.mean())}
    if len(nonzero) == 0:
        return result | {"statistic": 0.0, "p": 1.0} | DEGENERATE
    exact = len(nonzero) <= LARGEST_EXACT_N
    ranks = stats.rankdata(np.abs(nonzero))
    statistic = float(ranks[nonzero > 0.0].sum())
    at_least, at_most = exact_tails(ranks, statistic) if exact else normal_tails(ranks, statistic)
    both = min(1.0, 2 * min(at_least, at_most))
    p = {"greater": at_least, "less": at_most, "two-sided": both}[alternative]
    return result | {"statistic": statistic, "p": p, "method": "exact" if exact else "normal_approximation"}


def exact_tails(ranks: np.ndarray, statistic: float) -> tuple[float, float]:
    """P(W >= w) and P(W <= w) over all equally likely sign flips, counted in integers."""
    # Mid-ranks are whole or half; doubled they index an array of counts, and each rank is in the sum or not.
    doubled, observed = np.rint(2 * ranks).astype(int), round(2 * statistic)
    flips = np.zeros(doubled.sum() + 1, dtype=np.int64)
    flips[0] = 1
    for rank in doubled:
        flips[rank:] = flips[rank:] + flips[:-rank]
    return flips[observed:].sum() / 2 ** len(ranks), flips[: observed + 1].sum() / 2 ** len(ranks)


def normal_tails(ranks: np.ndarray, statistic: float) -> tuple[float, float]:
    """Normal approximation of both tails; mid-ranks carry the tie correction, ±1/2 is that of continuity."""
    null = stats.norm(ranks.sum() / 2, np.sqrt((ranks**2).sum()) / 2)
    return null.sf(statistic - 0.5), null.cdf(statistic + 0.5)


def correlation(kind: str, x: pd.Series, y: pd.Series, estimated_means: int = 1) -> dict:
    """Spearman's, or Pearson's with Fisher's z interval, less `estimated_means` means (Fisher 1921)."""
    n = len(x)
    result = {"n": n, "alternative": "two-sided"}
    freedom = n - 1 - (estimated_means if kind == "pearson" else 1)
    if n < 3 or freedom < 1 or min(np.ptp(x), np.ptp(y)) < ROUNDING:
        return result | DEGENERATE
    if kind == "spearman":
        r, p = stats.spearmanr(x, y)
    else:
        r = stats.pearsonr(x, y).statistic
        # The null distribution of r itself: the same p as from t, and defined at r = ±1 too.
        p = 2 * stats.beta.sf(abs(r), freedom / 2, freedom / 2, loc=-1, scale=2)
    result |= {"statistic": r, "p": p, "effect": r, "method": f"t_df_{freedom}"}
    if kind == "pearson" and freedom > 1 and abs(r) < 1:
        z, half = np.arctanh(r), stats.norm.ppf(1 - ALPHA / 2) / np.sqrt(freedom - 1)
        result |= {"ci_low": np.tanh(z - half), "ci_high": np.tanh(z + half)}
    return result


def holm(p_values: Sequence[float | str]) -> list[float | str]:
    """Step-down corrected p-values in the order given; "n/a" stays and is not counted (Holm 1979)."""
    corrected, running_maximum = list(p_values), 0.0
    numbers = sorted((p, index) for index, p in enumerate(p_values) if p != NOT_APPLICABLE)
    for smaller, (p, index) in enumerate(numbers):
        running_maximum = max(running_maximum, min(1.0, (len(numbers) - smaller) * p))
        corrected[index] = running_maximum
    return corrected


def runs_by_cell(metrics: pd.DataFrame, metric: str = HEADLINE_METRIC) -> Runs:
    """The runs of each (dataset, autoencoder, space) by fold, in order of appearance."""
    key = ["dataset", "autoencoder", "space"]
    refuse_doubtful(metrics, [*key, "fold"], metric)
    return {cell: runs.set_index("fold").sort_index() for cell, runs in metrics.groupby(key, sort=False)}


def refuse_doubtful(frame: pd.DataFrame, key: list[str], value: str) -> None:
    """Stops at the first row that is there twice or has no value, naming it."""
    doubtful = frame[frame.duplicated(key) | frame[value].isna()]
    if len(doubtful):
        named = ", ".join(f"{column} {doubtful[column].iloc[0]}" for column in key)
        raise ValueError(f"{named}: appears twice or has no {value}; expected exactly one row with a value")


def paired_differences(runs: Runs, first: CellKey, second: CellKey, metric: str = HEADLINE_METRIC) -> Cell:
    """First minus second over the folds, which must be the same on both sides."""
    minuend, subtrahend = runs[first], runs[second]
    for side, present, wanted in ((first, minuend, subtrahend), (second, subtrahend, minuend)):
        missing = wanted.index.difference(present.index).tolist()
        if missing:
            where = "dataset {}, autoencoder {}, space {}".format(*side)
            raise ValueError(f"{where} lacks fold(s) {missing} of the side it is paired with; run those")
    labels = {"dataset": first[0], "autoencoder": first[1], "metric": metric, "role": minuend["role"].iloc[0]}
    differences = (minuend[metric] - subtrahend[metric]).to_numpy(dtype=float)
    return Cell(labels, differences, float((minuend["n_test"] / minuend["n_train"]).mean()))


def reconstruction_minus(metrics: pd.DataFrame, space: str, metric: str = HEADLINE_METRIC) -> list[Cell]:
    """Reconstruction minus the other space for every dataset and autoencoder that has both."""
    runs = runs_by_cell(metrics, metric)
    cells = []
    for first in [key for key in runs if key[2] == "reconstruction"]:
        # The images themselves are there once per dataset, not once per autoencoder.
        second = (first[0], "original" if space == "image" else first[1], space)
        if second in runs:
            cells.append(paired_differences(runs, first, second, metric))
    return cells


def family_means(cells: Iterable[Cell]) -> pd.DataFrame:
    """Mean differences over folds of the families: controls stay out of every test over families."""
    means = [cell.labels | {"difference": cell.differences.mean()} for cell in cells]
    means = pd.DataFrame(means, columns=["dataset", "autoencoder", "role", "difference"])
    return means[means["role"] == "family"]


def dataset_means(means: pd.DataFrame) -> pd.Series:
    """One difference per dataset: the mean over its families."""
    return means.groupby("dataset", sort=False)["difference"].mean()


def row(test: str, comparison: str, result: dict, **labels: str) -> dict:
    """One row of a table: what was tested and what came out, "n/a" for the rest."""
    labels = {"test": test, "comparison": comparison, "metric": HEADLINE_METRIC} | labels
    return dict.fromkeys(COLUMNS, NOT_APPLICABLE) | labels | result


def t_rows(cell: Cell, comparison: str) -> list[dict]:
    """The plain and the corrected paired t-test of one cell."""
    plain, corrected = corrected_t(cell.differences), corrected_t(cell.differences, cell.test_over_train)
    tests = {"paired_t": plain, "corrected_paired_t": corrected}
    return [row(test, comparison, result, **cell.labels) for test, result in tests.items()]


def table(rows: list[dict]) -> pd.DataFrame:
    """Rows as a table, the family cells of each test, comparison and metric corrected together by Holm."""
    together = defaultdict(list)
    for entry in rows:
        # A test over many cells has no autoencoder; a cell without p is not counted.
        if entry["role"] == "family" and NOT_APPLICABLE not in (entry["autoencoder"], entry["p"]):
            together[entry["test"], entry["comparison"], entry["metric"]].append(entry)
    for entries in together.values():
        for entry, p_corrected in zip(entries, holm([entry["p"] for entry in entries]), strict=True):
            entry.update(correction="holm", p_corrected=p_corrected)
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object)
