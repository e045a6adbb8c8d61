"""The decision rules: what evidence gives which verdict. See the docstring of the package."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from ..significance.level import ALPHA, CONFIDENCE, P_BELOW
from ..significance.rows import holm
from .findings import Effect

SUPPORTED, NOT_SUPPORTED, UNTESTABLE = "supported", "not supported", "cannot be tested at this scale"
FEWEST_FOLDS = 3
CORRELATION_MARGIN = 0.3
NO_CELL = "this study has no such comparison"
PAIRED = "t over folds, Nadeau and Bengio, Holm"


@dataclass(frozen=True)
class Verdict:
    """A verdict with its reason, and the measured effect that decided it: of several cells, the least favourable."""

    verdict: str
    reason: str
    measured: str = "n/a"
    cell: Effect | None = None
    test: str = "n/a"
    p: float = np.nan


def untestable(reason: str, of: "Verdict | None" = None) -> Verdict:
    """Cannot be tested; `of` is what the numbers alone would have given, whose measurement is still shown."""
    return replace(of, verdict=UNTESTABLE, reason=reason) if of else Verdict(UNTESTABLE, reason)


def in_words(cell: Effect, unit: str) -> str:
    """'3.1 points [-1.2, 7.4]'; without an interval, the effect alone."""
    interval = (
        f" [{shown(cell.low, unit)}, {shown(cell.high, unit)}]" if np.isfinite([cell.low, cell.high]).all() else ""
    )
    return f"{shown(cell.effect, unit)}{f' {unit}' if unit else ''}{interval}"


def shown(value: float, unit: str) -> str:
    """A difference of balanced accuracy in points of a hundred, of PSNR in dB, of other scores as it is."""
    factor, decimals = {"points": (100, 1), "dB": (1, 1)}.get(unit, (1, 3))
    return f"{round(factor * value, decimals) + 0.0:.{decimals}f}".replace("-", "−")


def in_words_of(cells: Sequence[Effect], unit: str, decisive: Effect) -> str:
    """The range of the cells, and the one that decides."""
    if len(cells) == 1:
        return f"{decisive.name}: {in_words(decisive, unit)}"
    effects = [cell.effect for cell in cells]
    span = f"{shown(min(effects), unit)} to {shown(max(effects), unit)} {unit}".strip()
    return f"{span} in {len(cells)} cells; least favourable: {decisive.name}, {in_words(decisive, unit)}"


def all_positive(cells: Sequence[Effect], size: float, unit: str, test: str = PAIRED) -> Verdict:
    """Every effect is above zero. `size` is the published effect, or the margin where none is known."""
    if not cells:
        return untestable(NO_CELL)
    decisive = max(cells, key=lambda cell: (cell.effect <= 0, np.nan_to_num(cell.p, nan=1.0), -cell.effect))
    found = Verdict(SUPPORTED, f"above zero, {P_BELOW}", in_words_of(cells, unit, decisive), decisive, test, decisive.p)
    opposite = [cell for cell in cells if cell.high < 0]
    too_small = [cell for cell in cells if not cell.p < ALPHA and cell.high < size]
    still_open = [cell for cell in cells if not (cell.p < ALPHA and cell.effect > 0)]
    if opposite:
        found = replace(found, verdict=NOT_SUPPORTED, reason=f"the opposite holds for {_names(opposite)}")
    elif too_small:
        bound = f"{shown(size, unit)} {unit}".strip()
        reason = f"no effect is shown, and one of {bound} is excluded, for {_names(too_small)}"
        found = replace(found, verdict=NOT_SUPPORTED, reason=reason)
    elif still_open:
        reason = f"neither shown nor excluded for {_names(still_open)}: the interval is too wide"
        found = replace(found, verdict=UNTESTABLE, reason=reason)
    return found


def no_effect(cells: Sequence[Effect], margin: float, unit: str, one_sided: bool = False) -> Verdict:
    """No effect beyond ±margin, `one_sided` none above it, by one-sided t-tests in every cell, Holm over the cells.

    One-sided, an effect below zero is none that the claim denies, however large.
    """
    if not cells:
        return untestable(NO_CELL)
    p_values = holm([within_margin_p(cell, margin, one_sided) for cell in cells])
    worst, bound = int(np.argmax(p_values)), f"{shown(margin, unit)} {unit}".strip()
    decisive, size = cells[worst], f"below {bound}" if one_sided else f"equal within ±{bound}"
    test = f"{'one-sided t' if one_sided else 'TOST'} over folds, Nadeau and Bengio, Holm"
    found = Verdict(SUPPORTED, size, in_words_of(cells, unit, decisive), decisive, test, p_values[worst])
    still_open = [cell for cell, p in zip(cells, p_values, strict=True) if not p < ALPHA]
    different = [cell for cell in still_open if cell.p < ALPHA and (cell.effect > 0 or not one_sided)]
    if different:
        kind = "an effect above zero" if one_sided else "a difference"
        found = replace(found, verdict=NOT_SUPPORTED, reason=f"{kind} is shown, {P_BELOW}, for {_names(different)}")
    elif still_open:
        sides = f"above zero nor {size}" if one_sided else f"a difference nor equality within ±{bound}"
        found = replace(found, verdict=UNTESTABLE, reason=f"neither {sides} is shown for {_names(still_open)}")
    return found


def within_margin_p(cell: Effect, margin: float, one_sided: bool = False) -> float:
    """p of a one-sided t-test of an effect below the margin, else of the worse of two, within ±margin.

    1 where there is no interval.
    """
    size = cell.effect if one_sided else abs(cell.effect)
    return float(stats.t.sf((margin - size) / cell.error, cell.n - 1)) if cell.error > 0 else 1.0


def within(cells: Sequence[Effect], low: float, high: float, unit: str, rounding: float = 0.005) -> Verdict:
    """Every estimate lies in the published range, which is wider on both sides by what its printing rounds away."""
    if not cells:
        return untestable(NO_CELL)
    low, high = low - rounding, high + rounding
    decisive = max(cells, key=lambda cell: max(low - cell.effect, cell.effect - high))
    test = f"{CONFIDENCE} intervals over folds against the range"
    found = Verdict(SUPPORTED, "every estimate lies in the range", in_words_of(cells, unit, decisive), decisive, test)
    excluded = [cell for cell in cells if cell.high < low or cell.low > high]
    beyond = [cell for cell in cells if not low <= cell.effect <= high]
    if excluded:
        found = replace(found, verdict=NOT_SUPPORTED, reason=f"the interval excludes the range for {_names(excluded)}")
    elif beyond:
        reason = f"the estimate is outside, but the interval reaches into the range, for {_names(beyond)}"
        found = replace(found, verdict=UNTESTABLE, reason=reason)
    return found


def of_one_size(measured: float, published: float, text: str) -> Verdict:
    """One measurement without an interval: within a factor of two of the published one."""
    cell = Effect("", measured, np.nan, np.nan, np.nan, 1)
    test = "within a factor of two; one measurement, no interval"
    if published / 2 <= measured <= 2 * published:
        return Verdict(SUPPORTED, "within a factor of two of the published value", text, cell, test)
    side = "less than half" if measured < published / 2 else "more than twice"
    return Verdict(NOT_SUPPORTED, f"{side} the published value", text, cell, test)


def _names(cells: Sequence[Effect]) -> str:
    names = [cell.name for cell in cells if cell.name]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") or "it"
