"""The decision rules: what evidence gives which verdict (docs/protocol.md, Claims).

A claim that something holds in every cell is judged by an intersection-union test, each of its own cells at the level
and without correction (Berger 1982); that in some cell the opposite holds by simultaneous intervals over these cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtr

from ..significance.level import ALPHA, CONFIDENCE, P_BELOW
from ..tables.layout import points, whole_points
from .findings import Effect

SUPPORTED, NOT_SUPPORTED, UNTESTABLE = "supported", "not supported", "cannot be told"
CORRELATION_MARGIN = 0.3
PRINTED = 0.005  # balanced accuracy, by which the paper rounds the ends of a range at most
NO_CELL = "this study has no such comparison"
OVER_GROUPS = "paired t over groups, every cell at the level"
OVER_FOLDS = "t over folds, Nadeau and Bengio, every cell at the level"


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
    """Cannot be told; `of` is the verdict of the numbers alone, whose measurement is still shown."""
    return replace(of, verdict=UNTESTABLE, reason=reason) if of else Verdict(UNTESTABLE, reason)


def in_words(cell: Effect, unit: str) -> str:
    """'3.1 points [-1.2, 7.4]'; without an interval, the effect alone."""
    interval = (
        f" [{shown(cell.low, unit)}, {shown(cell.high, unit)}]" if np.isfinite([cell.low, cell.high]).all() else ""
    )
    return f"{shown(cell.effect, unit)}{f' {unit}' if unit else ''}{interval}"


def shown(value: float, unit: str) -> str:
    """A difference of balanced accuracy in points of a hundred, of PSNR in dB, of other scores as it is."""
    if unit == "points":
        return points(value)
    decimals = 1 if unit == "dB" else 3
    return f"{round(value, decimals) + 0.0:.{decimals}f}".replace("-", "−")


def in_words_of(cells: Sequence[Effect], unit: str, decisive: Effect) -> str:
    """The range of the cells, and the one that decides."""
    if len(cells) == 1:
        return f"{decisive.name}: {in_words(decisive, unit)}"
    effects = [cell.effect for cell in cells]
    span = f"{shown(min(effects), unit)} to {shown(max(effects), unit)} {unit}".strip()
    return f"{span} in {len(cells)} cells; least favourable: {decisive.name}, {in_words(decisive, unit)}"


def all_positive(
    cells: Sequence[Effect], size: float, unit: str, least: float | None = None, test: str = OVER_GROUPS
) -> Verdict:
    """Every effect is above zero: an intersection-union test, each cell at the level; its opposite is a union.

    `size` is the published effect, or the margin where none is known; `least` what counts as none, size / 2 by default.
    """
    if not cells:
        return untestable(NO_CELL)
    least = abs(size) / 2 if least is None else least
    decisive = max(cells, key=lambda cell: (cell.effect <= 0, np.nan_to_num(cell.p, nan=1.0), -cell.effect))
    found = Verdict(SUPPORTED, f"above zero, {P_BELOW}", in_words_of(cells, unit, decisive), decisive, test, decisive.p)
    ends = [(cell, *cell.interval(len(cells))) for cell in cells]
    still_open = [cell for cell in cells if not (cell.p < ALPHA and cell.effect > 0)]
    opposite = [cell for cell, _, high in ends if high < 0]
    none = [cell for cell, low, high in ends if cell in still_open and -least < low and high < least]
    if opposite:
        found = replace(found, verdict=NOT_SUPPORTED, reason=f"the opposite is found: {_each(opposite, unit)}")
    elif none:
        bound = f"{shown(least, unit)} {unit}".strip()
        found = replace(found, verdict=NOT_SUPPORTED, reason=f"equal to zero within ±{bound}: {_each(none, unit)}")
    elif still_open:
        found = replace(found, verdict=UNTESTABLE, reason=_undecided(still_open, size, unit))
    return found


def _undecided(cells: Sequence[Effect], size: float, unit: str) -> str:
    """Why effects are neither above zero nor excluded: only an interval that could hide the published one is wide."""
    wide = [cell for cell in cells if not cell.error > 0 or cell.high - cell.effect > abs(size)]
    if wide:
        return f"neither shown nor excluded, the interval is too wide: {_each(wide, unit)}"
    published = f"{shown(size, unit)} {unit}".strip()
    small = [cell for cell in cells if cell.high < size]
    if small:
        return f"smaller than {published} and not shown to be above zero: {_each(small, unit)}"
    return f"neither shown nor excluded: {_each(cells, unit)}"


def no_effect(cells: Sequence[Effect], margin: float, one_sided: bool = False, over: str = "over groups") -> Verdict:
    """No effect beyond ±margin in every cell, `one_sided` none above it: one-sided t-tests, each cell at the level.

    One-sided, an effect below zero never contradicts the claim, however large. "Some cell is beyond the margin" is a
    union, judged by simultaneous intervals: an interval that only excludes zero does not contradict the claim.
    """
    if not cells:
        return untestable(NO_CELL)
    p_values = [within_margin_p(cell, margin, one_sided) for cell in cells]
    worst, bound = int(np.argmax(p_values)), f"{points(margin)} points"
    decisive, size = cells[worst], f"below {bound}" if one_sided else f"equal within ±{bound}"
    test = f"{'one-sided t' if one_sided else 'TOST'} {over}, every cell at the level"
    found = Verdict(SUPPORTED, size, in_words_of(cells, "points", decisive), decisive, test, p_values[worst])
    still_open = [cell for cell, p in zip(cells, p_values, strict=True) if not p < ALPHA]
    ends = {cell: cell.interval(len(cells)) for cell in still_open if cell.p >= 0}
    different = [cell for cell, (low, high) in ends.items() if low > margin or (high < -margin and not one_sided)]
    if different:
        kind = f"an effect above {bound}" if one_sided else f"a difference of more than {bound}"
        found = replace(found, verdict=NOT_SUPPORTED, reason=f"{kind} is found: {_each(different, 'points')}")
    elif still_open:
        sides = f"above nor {size}" if one_sided else f"a difference of more nor equality within ±{bound}"
        found = replace(found, verdict=UNTESTABLE, reason=f"neither {sides} is shown: {_each(still_open, 'points')}")
    return found


def within_margin_p(cell: Effect, margin: float, one_sided: bool = False) -> float:
    """p of a one-sided t-test of an effect below the margin, else of the worse of two, within ±margin.

    1 where there is no interval.
    """
    size = cell.effect if one_sided else abs(cell.effect)
    return float(stdtr(cell.freedom, (size - margin) / cell.error)) if cell.error > 0 else 1.0


def within(cells: Sequence[Effect], low: float, high: float) -> Verdict:
    """Every effect lies in the published range, widened on both sides by the rounding of its printing.

    Inside is what every interval is, outside what a simultaneous interval is.
    """
    if not cells:
        return untestable(NO_CELL)
    least, most = low - PRINTED, high + PRINTED
    decisive = max(cells, key=lambda cell: np.nan_to_num(max(least - cell.low, cell.high - most), nan=np.inf))
    test = f"{CONFIDENCE} intervals against the range"
    text = in_words_of(cells, "points", decisive)
    found = Verdict(SUPPORTED, "every interval lies in the range", text, decisive, test)
    ends = [(cell, *cell.interval(len(cells))) for cell in cells]
    sides = {
        f"smaller than published, against {whole_points(low)} or more": [one for one, _, end in ends if end < least],
        f"larger than published, against {whole_points(high)} or less": [one for one, end, _ in ends if end > most],
    }
    outside = [f"{said}: {_each(beyond, 'points')}" for said, beyond in sides.items() if beyond]
    across = [cell for cell in cells if not (cell.low >= least and cell.high <= most)]
    if outside:
        found = replace(found, verdict=NOT_SUPPORTED, reason="; ".join(outside))
    elif across:
        reason = f"the interval is neither inside the range nor outside of it: {_each(across, 'points')}"
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


def _each(cells: Sequence[Effect], unit: str) -> str:
    """'Flux.2 on Cardium, 10.0 points [5.2, 14.8]' of at most two cells, and how many more there are."""
    named = [", ".join(filter(None, [cell.name, in_words(cell, unit)])) for cell in cells[:2]]
    return "; ".join(named) + (f"; and {len(cells) - 2} more" if len(cells) > 2 else "")
