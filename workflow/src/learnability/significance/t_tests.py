"""Student's t over folds or datasets: plain, corrected for overlapping training sets, and for equivalence."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from ..errors import InputError
from .cells import Cell
from .level import ALPHA
from .rows import DEGENERATE, row

# Scores lie in [-1, 1]: a spread below this is rounding, such as that of 0.3 - 0.2 against 0.2 - 0.1.
ROUNDING = 1e-12
FEWEST_FOLDS = 3  # for an interval over folds, and for a variance between them


def t_rows(cell: Cell, comparison: str) -> list[dict]:
    """The plain and the corrected paired t-test of one cell."""
    plain, corrected = corrected_t(cell.differences), corrected_t(cell.differences, cell.test_over_train)
    tests = {"paired_t": plain, "corrected_paired_t": corrected}
    return [row(test, comparison, result, **cell.labels) for test, result in tests.items()]


def corrected_t(differences: Sequence[float], test_over_train: float = 0.0) -> dict:
    """Two-sided t-test for overlapping training sets, at ratio 0 the plain one (Nadeau and Bengio 2003).

    No interval from fewer than three differences: of two it is 12.7 standard errors to either side.
    """
    n, effect = len(differences), float(np.mean(differences))
    error = standard_error(differences, test_over_train)
    result = {"n": n, "effect": effect, "alternative": "two-sided", "method": f"t_df_{n - 1}"}
    if error > 0.0:
        statistic, half = effect / error, error * stats.t.ppf(1 - ALPHA / 2, n - 1)
        p = 2 * stats.t.sf(abs(statistic), n - 1)
        return result | {"statistic": statistic, "p": p} | _interval(effect, half, n)
    if n > 1 and abs(effect) < ROUNDING:
        return result | {"statistic": 0.0, "p": 1.0, "effect": 0.0} | DEGENERATE
    return result | DEGENERATE


def tost(differences: Sequence[float], margin: float, test_over_train: float = 0.0) -> dict:
    """The worse of two one-sided t-tests of a mean within ±margin, with 90% interval (Schuirmann 1987).

    Differences that are all zero are equal within any margin: p = 0. Of others without variance there is no p.
    """
    if not margin > 0:
        raise InputError(f"equivalence margin is {margin}; expected a number above 0, such as 0.02")
    n, effect = len(differences), float(np.mean(differences))
    error = standard_error(differences, test_over_train)
    result = {"n": n, "effect": effect, "alternative": "equivalence", "method": f"tost_margin_{margin:g}"}
    if error == 0.0:
        same = n > 1 and abs(effect) < ROUNDING
        return result | ({"p": 0.0, "effect": 0.0} if same else {}) | DEGENERATE
    null, above, below = stats.t(n - 1), (effect + margin) / error, (effect - margin) / error
    p, statistic = max((null.sf(above), above), (null.cdf(below), below))
    half = error * null.ppf(1 - ALPHA)
    return result | {"statistic": statistic, "p": p} | _interval(effect, half, n)


def _interval(effect: float, half: float, n: int) -> dict[str, float]:
    return {"ci_low": effect - half, "ci_high": effect + half} if n >= FEWEST_FOLDS else {}


def standard_error(differences: Sequence[float], test_over_train: float) -> float:
    """Standard error s·sqrt(1/k + n_test/n_train) of a mean over k folds; 0.0 where there is no variance."""
    k = len(differences)
    spread = np.std(differences, ddof=1) if k > 1 else 0.0
    return 0.0 if spread < ROUNDING else float(spread * np.sqrt(1 / k + test_over_train))
