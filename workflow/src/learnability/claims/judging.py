"""One row per claim: what the paper says, what this study measured, and the verdict."""

import numpy as np
import pandas as pd

from . import ablation, beyond, efficiency, finetuning, gap
from .claims import Claim, judged
from .findings import PAPER_DATASETS, Findings

CLAIMS = [*gap.CLAIMS, *finetuning.CLAIMS, *ablation.CLAIMS, *efficiency.CLAIMS, *beyond.CLAIMS]
COLUMNS = [
    "claim", "part", "statement", "place", "published", "measured", "effect", "ci_low", "ci_high", "n",
    "test", "p_corrected", "verdict", "reason", "data",
]  # fmt: skip


def judge_claims(findings: Findings) -> pd.DataFrame:
    """A row per claim; effect, interval and p are of the cell that decides, "n/a" where there is none."""
    return pd.DataFrame([_row(claim, findings) for claim in CLAIMS], columns=COLUMNS, dtype=object)


def _row(claim: Claim, findings: Findings) -> dict:
    verdict = judged(claim, findings)
    cell = verdict.cell
    numbers = {"effect": cell.effect, "ci_low": cell.low, "ci_high": cell.high, "n": cell.n} if cell else {}
    row = {key: getattr(claim, key) for key in ("part", "statement", "place")}
    row |= {key: getattr(verdict, key) for key in ("measured", "test", "verdict", "reason")}
    row |= numbers | {"claim": claim.key, "p_corrected": verdict.p, "data": _data(claim, findings)}
    row |= {"published": claim.published(findings)}
    return dict.fromkeys(COLUMNS, "n/a") | {key: "n/a" if _undefined(value) else value for key, value in row.items()}


def _undefined(value) -> bool:
    return isinstance(value, float) and bool(np.isnan(value))


def _data(claim: Claim, findings: Findings) -> str:
    """The datasets of the verdict; those that are not the paper's are called so."""
    names = [name for name in claim.on(findings) if name in findings.cards]
    if not names:
        return "n/a"
    shown = "all data sets of this study" if names == findings.datasets() else ", ".join(map(findings.dataset, names))
    foreign = [name for name in names if name not in (*PAPER_DATASETS, "imagenet")]
    return f"{shown}; not the paper's" if foreign else shown
