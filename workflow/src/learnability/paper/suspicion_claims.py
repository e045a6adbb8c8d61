"""What the paper suspects behind the gap: three properties of latents, described here and told by no correlation."""

from functools import partial

import numpy as np

from ..significance.diagnostics_vs_gap import FEWEST_PAIRS, SUSPECTS, suspects_of
from ..tables.layout import number
from .claim import HERE, Claim
from .findings import Findings
from .verdicts import UNTESTABLE, Verdict, untestable

PART = "Why the gap exists"
WHY = f"{HERE}Why does the gap exist?"
HYPOTHESIS = "a hypothesis, not tested"
NO_CAUSE = "a correlation over autoencoders shows no cause; what would tell is the gap before and after {}"


def suspected(suspect: int, change: str, findings: Findings) -> Verdict:
    """No verdict: Spearman's correlation with the gap over the families is a description. `change` would tell."""
    tests = findings.frames.get("diagnostics_vs_gap")
    rows = None if tests is None else suspects_of(tests, SUSPECTS[suspect])
    if rows is None or rows.empty:
        return untestable("this study does not describe its latents, or measures no gap")
    row = rows.iloc[0]
    if np.isnan(row["effect"]):
        return untestable(f"no correlation: that needs {FEWEST_PAIRS} autoencoders that have the number and differ")
    rho = number(row["effect"], decimals=2).replace("-", "−")
    measured = f"ρ = {rho} with the gap, over {int(row['n'])} autoencoders; this describes them"
    return Verdict(UNTESTABLE, NO_CAUSE.format(change), measured)


def diagnosed(findings: Findings) -> tuple[list[str], list[str]]:
    """The datasets and the families of Table 5, where there are correlations with the gap."""
    if "diagnostics_vs_gap" not in findings.frames:
        return [], []
    rows = findings.rows("table5", role="family")
    rows = rows[rows["dataset"].isin(findings.datasets())]
    return [*dict.fromkeys(rows["dataset"])], [*dict.fromkeys(rows["autoencoder"])]


def _claim(key: str, statement: str, place: str, suspect: int, change: str) -> Claim:
    judge = partial(suspected, suspect, change)
    return Claim(key, PART, statement, place, lambda findings: HYPOTHESIS, judge, where=diagnosed, over_folds=False)


CLAIMS = [
    _claim("high_frequencies", "Latents distribute class information across high-frequency spatial patterns, which "
           "convolutional classifiers struggle to exploit.", WHY, 0, "high frequencies are taken out of the latents"),
    _claim("channel_correlations", "Latents distribute class information across correlations between channels, which "
           "convolutional classifiers struggle to exploit.", WHY, 1, "the channels are decorrelated"),
    _claim("equivariance", "Latent spaces lack geometric equivariance, and this shapes what can be learned from them.",
           "section 1", 2, "the autoencoder is fine-tuned to be equivariant"),
]  # fmt: skip
