"""Spearman's and Pearson's correlation with p-values, and an interval where there is one."""

import numpy as np
import pandas as pd
from scipy import stats

from .level import ALPHA
from .rows import DEGENERATE
from .t_tests import ROUNDING


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
