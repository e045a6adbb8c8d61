"""One row per claim: what the paper says, what this study measured, and the verdict."""

from collections.abc import Sequence

import pandas as pd

from . import ablation_claims as ablation
from . import efficiency_claims as efficiency
from . import finetuning_claims as finetuning
from . import gap_claims as gap
from . import own_claims as beyond
from . import suspicion_claims as suspicion
from .claim import Claim, judged
from .findings import Findings, without_nan

CLAIMS = [*gap.CLAIMS, *finetuning.CLAIMS, *ablation.CLAIMS, *efficiency.CLAIMS, *suspicion.CLAIMS, *beyond.CLAIMS]
CLAIM_COLUMNS = [
    "claim", "part", "statement", "place", "published", "measured", "effect", "ci_low", "ci_high", "n",
    "test", "p", "verdict", "reason", "data",
]  # fmt: skip


def judge_claims(findings: Findings, claims: Sequence[Claim] = CLAIMS) -> pd.DataFrame:
    """A row per claim; effect, interval and p are of the cell that decides, "n/a" where there is none."""
    return pd.DataFrame([_row(claim, findings) for claim in claims], columns=CLAIM_COLUMNS, dtype=object)


def spoken_of(claims: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The claims of which the study measured something, and the others: of what is not in it."""
    measured = claims["measured"] != "n/a"
    return claims[measured], claims[~measured]


def _row(claim: Claim, findings: Findings) -> dict:
    verdict = judged(claim, findings)
    cell = verdict.cell
    numbers = {"effect": cell.effect, "ci_low": cell.low, "ci_high": cell.high, "n": cell.n} if cell else {}
    row = {key: getattr(claim, key) for key in ("part", "statement", "place")}
    row |= {key: getattr(verdict, key) for key in ("measured", "test", "verdict", "reason")}
    row |= numbers | {"claim": claim.key, "p": verdict.p, "data": _data(claim, findings)}
    row |= {"published": claim.published(findings)}
    return dict.fromkeys(CLAIM_COLUMNS, "n/a") | without_nan(row)


def _data(claim: Claim, findings: Findings) -> str:
    """The datasets of the verdict; of a general claim, how they and its autoencoders differ from the paper's."""
    datasets, autoencoders = claim.on(findings)
    names = [name for name in datasets if name in findings.cards]
    if not names:
        return "n/a"
    shown = "all data sets of this study" if names == findings.datasets() else ", ".join(map(findings.dataset, names))
    if not claim.where:
        return shown
    kinds = {"data sets": (names, claim.datasets), "autoencoders": (autoencoders, claim.autoencoders)}
    return "; ".join([shown, *filter(None, (_differing(*pair, kind) for kind, pair in kinds.items()))])


def _differing(names: Sequence[str], of_paper: Sequence[str], kind: str) -> str:
    """How these differ from the paper's, in words; nothing where they do not."""
    own = [name for name in names if name not in of_paper]
    if own:
        return f"not {'only ' if len(own) < len(names) else ''}the paper's {kind}"
    return f"{len(names)} of the paper's {len(of_paper)} {kind}" if len(names) < len(of_paper) else ""
