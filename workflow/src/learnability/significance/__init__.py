"""Significance of the learnability gap: tests over folds, cells and datasets, equivalence, correlation.

A difference is always the first side of `comparison` minus the second. Every table of tests has the columns
`COLUMNS`; what does not apply, or is not defined for the data at hand, is the string "n/a", never NaN.
"""

from .ablation import ablation
from .correlation import correlation
from .decomposition import gap_decomposition
from .gap import equivalence, fidelity_vs_gap, finetuning, latent_vs_reconstruction, wilcoxon
from .ranks import signed_rank
from .rows import COLUMNS, holm
from .t_tests import corrected_t

__all__ = [
    "COLUMNS",
    "ablation",
    "corrected_t",
    "correlation",
    "equivalence",
    "fidelity_vs_gap",
    "finetuning",
    "gap_decomposition",
    "holm",
    "latent_vs_reconstruction",
    "signed_rank",
    "wilcoxon",
]
