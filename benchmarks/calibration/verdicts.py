"""How often the verdicts on the paper's claims are right, in studies whose truth is known."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from learnability.paper.gap_claims import CLAIMS
from learnability.paper.own_claims import CLAIMS as BEYOND
from learnability.paper.verdicts import NOT_SUPPORTED, SUPPORTED, UNTESTABLE

from .claims import MARGIN, findings_of
from .rates import rate

PUBLISHED = {
    "ct_rate": (0.05, 0.06, 0.07, 0.08, 0.09),
    "isic2019": (0.278, 0.26, 0.24, 0.2, 0.19),
    "mimic_cxr_lt": (0.13, 0.12, 0.1, 0.08, 0.07),
    "cardium": (0.004, 0.003, 0.002, 0.003, 0.004),
}  # ISIC-2019, MIMIC-LT and Cardium in the paper's words, which give no number for CT-RATE
NOISE = 0.03  # standard deviation of a gap over folds
CURVE = (0.02, 0.03, 0.04, 0.05)  # the same, for the power curves
ISIC, MIMIC = PUBLISHED["isic2019"], PUBLISHED["mimic_cxr_lt"]


class Case(NamedTuple):
    """Studies with one truth."""

    name: str
    gaps: dict[str, tuple[float, ...]]
    noise: float = NOISE
    folds: int = 5
    loss: float = 0.0  # of reconstructions against images


def _changed(**gaps: tuple[float, ...]) -> dict[str, tuple[float, ...]]:
    return PUBLISHED | gaps


CASES = (
    Case("published effects", PUBLISHED),
    Case("half the noise", PUBLISHED, noise=NOISE / 2),
    Case("no gap", dict.fromkeys(PUBLISHED, (0.0,) * 5), loss=MARGIN),
    Case("reversed", {name: tuple(-gap for gap in gaps) for name, gaps in PUBLISHED.items()}, loss=0.05),
    Case("ISIC-2019 alone", {"isic2019": ISIC}),
    Case("noise × 4, 3 folds", PUBLISHED, noise=4 * NOISE, folds=3),
    Case("10 points on ISIC-2019", _changed(isic2019=(0.1,) * 5)),
    Case("one autoencoder without a gap", _changed(isic2019=(*ISIC[:4], 0.0), mimic_cxr_lt=(*MIMIC[:4], 0.0))),
    Case(
        "at the ends of the ranges",
        _changed(isic2019=(*ISIC[:4], 0.174), mimic_cxr_lt=(0.136, *MIMIC[1:]), cardium=(0.0, 0.0, 0.0, 0.0, MARGIN)),
    ),
)
CURVES = tuple(
    Case(f"{name}, fold sd {100 * noise:g} points", {name: PUBLISHED[name]}, noise)
    for name in ("isic2019", "mimic_cxr_lt")
    for noise in CURVE
)
# The wrong verdicts on a claim that is true, false, or neither.
WRONG = {True: (NOT_SUPPORTED,), False: (SUPPORTED,), None: (SUPPORTED, NOT_SUPPORTED)}
JUDGED = {claim.key: claim.judge for claim in (*CLAIMS, *BEYOND)}


def verdicts(case: Case, studies: int, seed: Sequence[int]) -> pd.DataFrame:
    """The verdicts, with a row per study and a column per claim that the case can decide."""
    random = np.random.default_rng(seed)
    gaps, claims = {name: np.array(values) for name, values in case.gaps.items()}, truth(case)
    rows = []
    for _ in range(studies):
        findings = findings_of(gaps, case.noise, case.folds, random, case.loss)
        rows.append({key: JUDGED[key](findings).verdict for key in claims})
    return pd.DataFrame(rows)


def judged(frame: pd.DataFrame, name: str) -> dict[str, dict]:
    """For every claim of a case: whether it is true, the shares of verdicts, and the rates of wrong ones."""
    known = truth(next(case for case in CASES if case.name == name))
    return {
        claim: {"true": true, "wrong": {verdict: rate((frame[claim] == verdict).to_numpy()) for verdict in WRONG[true]}}
        | {verdict: float((frame[claim] == verdict).mean()) for verdict in (SUPPORTED, UNTESTABLE, NOT_SUPPORTED)}
        for claim, true in known.items()
    }


def truth(case: Case) -> dict[str, bool | None]:
    """Which claims are true in a case; None if an effect equals the margin, so that neither verdict is right.

    Claims that the case cannot decide are left out.
    """
    gaps = {name: np.array(values) for name, values in case.gaps.items()}
    every = np.concatenate([*gaps.values()])
    found = {"rs_equals_is": _within_margin(case.loss), "ls_below_rs": bool((every > 0).all())}
    found |= {"gap_over_datasets": bool(every.mean() > 0)}
    for name, low, high in (("isic", 0.18, 0.278), ("mimic", 0.06, 0.13)):
        own = gaps.get({"isic": "isic2019", "mimic": "mimic_cxr_lt"}[name])
        if own is not None:
            # Half a point is lost when the ends of the range are rounded for printing.
            inside = bool((own >= low - 0.005).all() and (own <= high + 0.005).all())
            found |= {f"{name}_range": inside, f"{name}_significant": bool((own > 0).all())}
    if len(gaps) == len(PUBLISHED):
        others = [values.mean() for name, values in gaps.items() if name != "isic2019"]
        found["isic_largest"] = bool(gaps["isic2019"].mean() > max(others))
        found["cardium_no_gap"] = _within_margin(*gaps["cardium"])
    return found


def _within_margin(*effects: float) -> bool | None:
    most = max(map(abs, effects))
    return None if most == MARGIN else bool(most < MARGIN)
