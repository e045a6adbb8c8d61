"""The paper's claims judged by this study, and its published numbers beside the measured ones.

Nothing here is written by hand: a verdict follows from tables and tests by the rule of its kind of claim.

| kind | supported | not supported | cannot be tested at this scale |
|---|---|---|---|
| difference (every cell above zero) | p < .05 and above zero in every cell | some interval lies below zero, or \
excludes the published effect (the margin, where none is known) without showing any | otherwise |
| no difference | TOST within the margin, p < .05 in every cell | a difference is shown, p < .05, without equivalence \
| otherwise: absence of evidence is no evidence of absence |
| range | every estimate lies in the published range | some 95 % interval lies outside of it | otherwise |
| all pairs | every estimate above zero, signed-rank p < .05 | some interval lies below zero, or p >= .05 | too few \
pairs for any p below .05, or an estimate below zero whose interval holds zero |
| no correlation | the 95 % interval of r lies within ±.3 | p < .05 | otherwise |
| one measurement (Table 3) | within a factor of two of the published value | otherwise | on another kind of device |
| counts | as claimed | otherwise | |

Whatever the kind: fewer than three folds, a dataset or autoencoder that is not in the study, and phantom data cannot
test a claim; what was measured is shown all the same. p is two-sided, of t-tests paired by fold with Nadeau and
Bengio's correction, Holm's over the cells, unless the row says otherwise. A claim that names no dataset is judged on
those of the study, and the row says on which.
"""

from .findings import Findings, read_findings
from .judging import COLUMNS, judge_claims
from .layouts import render_claims, render_published
from .numbers import compare_published

__all__ = [
    "COLUMNS",
    "Findings",
    "compare_published",
    "judge_claims",
    "read_findings",
    "render_claims",
    "render_published",
]
