"""Spearman's and Pearson's correlation over cells, with p by permutation of the autoencoders."""

from itertools import chain, permutations
from math import factorial, prod

import numpy as np
import pandas as pd
from scipy import stats

from .level import ALPHA
from .rows import DEGENERATE
from .t_tests import ROUNDING

LARGEST_EXACT = factorial(9)  # permutations that are all counted; of more, DRAWN are drawn
DRAWN = 20_000


def correlation(
    kind: str,
    x: pd.Series,
    y: pd.Series,
    cells: pd.DataFrame,
    estimated_means: int = 1,
    alternative: str = "two-sided",
) -> dict:
    """Spearman's or Pearson's r of `x` and `y`, whose `cells` (`dataset`, `autoencoder`) are not independent.

    p is by permutation: an autoencoder's `x` of all datasets together are given to another. Pearson's interval is
    Fisher's z with the number of autoencoders for n, as if the cells of one were a single observation; none with fewer
    than four. `estimated_means` were taken off both. `alternative` is two-sided, or `greater`: r is positive.
    """
    result = {"n": len(x), "alternative": alternative}
    if len(x) < 3 or len(x) - estimated_means < 2 or min(np.ptp(x), np.ptp(y)) < ROUNDING:
        return result | DEGENERATE
    if kind == "spearman":
        x, y = (stats.rankdata(np.round(values, 12)) for values in (x, y))
    r, p, method = permuted(np.asarray(x, dtype=float), np.asarray(y, dtype=float), cells, alternative)
    result |= {"statistic": r, "p": p, "effect": r, "method": method}
    number = cells["autoencoder"].nunique()
    if kind == "pearson" and number > 3 and abs(r) < 1 - ROUNDING:
        z, half = np.arctanh(r), stats.norm.ppf(1 - ALPHA / 2) / np.sqrt(number - 3)
        result |= {"ci_low": float(np.tanh(z - half)), "ci_high": float(np.tanh(z + half))}
    return result


def permuted(x: np.ndarray, y: np.ndarray, cells: pd.DataFrame, alternative: str) -> tuple[float, float, str]:
    """Pearson's r, and the share of permutations of the autoencoders that lie as far from the mean over all of them.

    With `greater` the share of those whose r is as large.

    Autoencoders that are on the same datasets change places, so that the cells stay the same. All permutations are
    counted, and p is at least one over their number; where there are too many, some are drawn.
    """
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    # What each autoencoder's y and each one's x give together; a permutation takes one of every row.
    products = [y[alike] @ x[alike].T for alike in _places(cells)]
    exact = prod(factorial(len(pairs)) for pairs in products) <= LARGEST_EXACT
    r = float(np.clip(x @ y / scale, -1, 1))
    values = np.zeros(1 if exact else DRAWN)
    for number, pairs in enumerate(products):
        orders = _all_orders(len(pairs)) if exact else _drawn_orders(len(pairs), number)
        sums = pairs[np.arange(len(pairs)), orders].sum(axis=1)
        values = np.add.outer(values, sums).ravel() if exact else values + sums
    values = values / scale if exact else np.append(values / scale, r)  # the order as it is counts as one that is drawn
    centre = values.mean()
    as_far = (
        values >= r - ROUNDING if alternative == "greater" else np.abs(values - centre) >= abs(r - centre) - ROUNDING
    )
    p = np.mean(as_far)
    number = cells["autoencoder"].nunique()
    return r, float(p), f"{'exact' if exact else 'drawn'}_permutation_of_{number}_autoencoders"


def _places(cells: pd.DataFrame) -> list[np.ndarray]:
    """Rows of the cells of autoencoders that are on the same datasets: a row per autoencoder, a column per dataset."""
    row_of = pd.Series(np.arange(len(cells)), pd.MultiIndex.from_frame(cells[["autoencoder", "dataset"]]))
    grid = row_of.unstack("dataset")
    patterns = pd.MultiIndex.from_frame(grid.notna())
    return [grid[patterns == pattern].dropna(axis=1).to_numpy(dtype=int) for pattern in patterns.unique()]


def _all_orders(number: int) -> np.ndarray:
    flat = chain.from_iterable(permutations(range(number)))
    return np.fromiter(flat, dtype=int, count=number * factorial(number)).reshape(-1, number)


def _drawn_orders(number: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permuted(np.tile(np.arange(number), (DRAWN, 1)), axis=1)
