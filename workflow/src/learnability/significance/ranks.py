"""Wilcoxon's signed-rank test, exact where all sign flips can be counted."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from .rows import DEGENERATE
from .t_tests import ROUNDING

LARGEST_EXACT_N = 22  # all 2^22 sign flips, some four million, are counted


def signed_rank(differences: Sequence[float], alternative: str) -> dict:
    """Signed-rank test, zeros dropped, mid-ranks for ties; statistic: sum of positive ranks (Wilcoxon).

    Differences that are equal but for rounding are tied, those that are zero but for it are zeros.
    """
    differences = np.asarray(differences, dtype=float)
    nonzero = differences[np.abs(differences) >= ROUNDING]
    result = {"n": len(nonzero), "alternative": alternative, "effect": float(differences.mean())}
    if len(nonzero) == 0:
        return result | {"statistic": 0.0, "p": 1.0} | DEGENERATE
    exact = len(nonzero) <= LARGEST_EXACT_N
    ranks = stats.rankdata(_steps(np.abs(nonzero)))
    statistic = float(ranks[nonzero > 0.0].sum())
    at_least, at_most = exact_tails(ranks, statistic) if exact else normal_tails(ranks, statistic)
    both = min(1.0, 2 * min(at_least, at_most))
    p = {"greater": at_least, "less": at_most, "two-sided": both}[alternative]
    return result | {"statistic": statistic, "p": p, "method": "exact" if exact else "normal_approximation"}


def _steps(sizes: np.ndarray) -> np.ndarray:
    """Whole numbers in the order of the sizes; those within rounding of their neighbour have the same."""
    order = np.argsort(sizes)
    steps = np.empty(len(sizes), dtype=int)
    steps[order] = np.cumsum(np.diff(sizes[order], prepend=sizes[order[0]]) >= ROUNDING)
    return steps


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
