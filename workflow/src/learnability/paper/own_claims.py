"""Beyond the paper: whether the gap holds over data sets, under one protocol, and against a lossless control."""

from dataclasses import replace
from functools import partial

import numpy as np
from scipy import stats

from ..significance.level import ALPHA, P_BELOW
from ..significance.rows import holm
from .claim import Claim, of_table
from .findings import Effect, Findings
from .gap_claims import TABLE1, in_method
from .verdicts import NO_CELL, NOT_SUPPORTED, SUPPORTED, Verdict, all_positive, in_words, untestable

PART = "Beyond the paper"
OURS = "not in the paper"


def over_datasets(findings: Findings) -> Verdict:
    """The signed-rank test over datasets, each the mean of its families, which share its images and folds."""
    rows = findings.rows(
        "wilcoxon", test="wilcoxon_datasets", comparison="reconstruction_vs_latent", alternative="greater"
    )
    if rows.empty:
        return untestable(NO_CELL)
    row, n = rows.iloc[0], len(findings.datasets())
    cell = Effect("", row["effect"], np.nan, np.nan, row["p"], n)
    text = f"{in_words(cell, 'points')}, mean over {n} data set{'s' if n > 1 else ''}"
    found = Verdict(SUPPORTED, P_BELOW, text, cell, f"signed-rank over data sets, {in_method(row)}", row["p"])
    if 0.5**n >= ALPHA:
        return untestable(f"{n} data set{'s' if n > 1 else ''} can give no p below {0.5**n:.2g}", found)
    return found if row["p"] < ALPHA else replace(found, verdict=NOT_SUPPORTED, reason=f"p = {row['p']:.2g}")


def decomposed(gap: str, findings: Findings) -> Verdict:
    """One gap of gap_decomposition.csv in every cell, Holm over the cells."""
    rows = findings.rows("gap_decomposition", metric="balanced_accuracy", role="family")
    cells = [_cell(row, gap, findings) for row in rows.to_dict("records") if not np.isnan(row[gap])]
    if not cells:
        return untestable("the gap is not decomposed in this study, or has no lossless control")
    return all_positive(_holm(cells), findings.margin, "points")


def _cell(row: dict, gap: str, findings: Findings) -> Effect:
    cell = Effect(
        findings.pair(row["autoencoder"], row["dataset"]),
        row[gap],
        row[f"{gap}_ci_low"],
        row[f"{gap}_ci_high"],
        np.nan,
        int(row["n"]),
    )
    p = 2 * stats.t.sf(abs(cell.effect) / cell.error, cell.n - 1) if cell.error > 0 else np.nan
    return replace(cell, p=p)


def _holm(cells: list[Effect]) -> list[Effect]:
    p_values = holm(["n/a" if np.isnan(cell.p) else cell.p for cell in cells])
    return [replace(cell, p=np.nan if p == "n/a" else p) for cell, p in zip(cells, p_values, strict=True)]


DECOMPOSED = of_table("gap_decomposition")
CLAIMS = [
    Claim("gap_over_datasets", PART, "The gap holds over data sets, of which the autoencoders are no independent "
          "samples.", OURS, lambda findings: OURS, over_datasets, where=TABLE1),
    Claim("gap_matched", PART, "The gap stays when network, start, augmentation and masking are the same in every "
          "space.", OURS, lambda findings: OURS, partial(decomposed, "gap_matched"), where=DECOMPOSED),
    Claim("gap_encoding", PART, "The gap is larger than that of a lossless rearrangement of the image on the same "
          "grid: the encoding itself costs accuracy.", OURS, lambda findings: OURS, partial(decomposed, "gap_encoding"),
          where=DECOMPOSED),
]  # fmt: skip
