"""How each diagnostic goes with the gap, over autoencoders and over cells: a test for what the paper suspects.

The paper suspects three properties of latents (section 3, "Why does the gap exist?"; section 1). Each has one number
that was fixed beforehand, SUSPECTS, and one test: Spearman's correlation with the gap of Table 1 over the autoencoders,
both averaged over datasets, with p by permutation of the autoencoders and Holm's correction over the three, also
where one of them has no p. The tests are one-sided, as the suspicions are: more of it, a wider gap. All other
correlations only describe: they have no p. A correlation shows no cause, so no verdict rests on these tests.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from scipy import stats

from .correlation import correlation
from .diagnostics import NUMBER, as_numbers, is_of
from .macro import MACRO
from .rows import CELL_TEST, DEGENERATE, NOT_APPLICABLE, TEST_COLUMNS, headline_cells, of_first_recipe, row, table
from .t_tests import ROUNDING

SUSPECTS = [
    ("sec", "normalised;tau=0.5"),
    ("channel_correlation", "normalised"),
    ("equivariance_encoder", "normalised;transform=turn"),
]
OVER_AUTOENCODERS, OVER_CELLS = "spearman_autoencoders", "spearman_cells"
LEFT_OUT = "_leave_one_out"  # how a test is called whose `dataset` is left out
GAP = "gap"  # of Table 1
DECOMPOSED = ("gap_matched", "gap_encoding")
FEWEST = 5  # autoencoders of a test: no order of four has a p below .05 after the correction, one of five has
FEWEST_PAIRS = 3  # of a correlation
DESCRIPTIVE = {"method": "descriptive"}
TOO_FEW = {"method": f"fewer_than_{FEWEST}_autoencoders"}
VS_GAP_COLUMNS = [*TEST_COLUMNS, *NUMBER]
PAIR = ["dataset", "autoencoder"]


def gaps_of(over_groups: pd.DataFrame, decomposition: pd.DataFrame | None = None) -> dict[str, pd.DataFrame]:
    """The gaps of balanced accuracy by name, each with dataset, autoencoder, role and gap.

    Table 1's is always there; the frames are group_level.csv and gap_decomposition.csv, whose first recipe counts.
    """
    of_gap = (over_groups["test"] == CELL_TEST) & (over_groups["comparison"] == "reconstruction_vs_latent")
    found = {GAP: over_groups[of_gap].rename(columns={"effect": GAP})}
    if decomposition is not None:
        rows = of_first_recipe(headline_cells(decomposition))
        found |= {name: rows.drop(columns=GAP, errors="ignore").rename(columns={name: GAP}) for name in DECOMPOSED}
    numbers = {name: rows.assign(gap=as_numbers(rows[GAP]))[[*PAIR, "role", GAP]] for name, rows in found.items()}
    return {name: rows for name, rows in numbers.items() if name == GAP or rows[GAP].notna().any()}


def diagnostics_vs_gap(diagnostics: pd.DataFrame, gaps: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """VS_GAP_COLUMNS for every number of `diagnostics` (diagnostics.FRAME) and every one of the `gaps` (gaps_of).

    Of the families alone: the gap of a control is not its encoding's. `dataset` names what is left out, `n` counts
    autoencoders or cells, effect is Spearman's rho. An autoencoder that lacks one of the two on a dataset is not in a
    mean over datasets. p only for SUSPECTS, and for none with fewer than FEWEST autoencoders; `method` says why.
    """
    families = diagnostics[diagnostics["role"] == "family"]
    rows = []
    for name, gap in gaps.items():
        y = gap[gap["role"] == "family"].pivot(index="autoencoder", columns="dataset", values=GAP)
        for number, found in families.groupby(NUMBER, sort=False):
            x = found.assign(value=as_numbers(found["value"]))
            cells = x.pivot(index="autoencoder", columns="dataset", values="value")
            rows += list(_rows(number, name, *_shared(cells, y)))
    # One family: of all rows only the three that are tested have a p.
    return table(rows, together=lambda entry: (), columns=VS_GAP_COLUMNS, count=len(SUSPECTS))


def _shared(x: pd.DataFrame, y: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both of the same autoencoders (rows) and datasets (columns): those where some cell has both numbers."""
    x, y = x.align(y, join="inner")
    both = x.notna() & y.notna()
    kept = both.loc[:, both.any()]
    return x[kept.columns].where(kept), y[kept.columns].where(kept)


def _rows(number: tuple[str, str], gap: str, x: pd.DataFrame, y: pd.DataFrame) -> Iterator[dict]:
    """Over autoencoders, over cells, and both with each dataset left out."""
    for left_out in (None, *(x.columns if len(x.columns) > 1 else ())):
        kept = [name for name in x.columns if name != left_out]
        confirmatory = left_out is None and gap == GAP and number in SUSPECTS
        labels = {"dataset": left_out or NOT_APPLICABLE, "role": "family"} | dict(zip(NUMBER, number, strict=True))
        for test, sides in {
            OVER_AUTOENCODERS: [side[kept].dropna().mean(axis=1) for side in (x, y)],
            OVER_CELLS: [side[kept].stack() for side in (x, y)],
        }.items():
            tested = confirmatory and test == OVER_AUTOENCODERS
            result = (_tested if tested else _described)(*(side.dropna() for side in sides))
            yield row(test + (LEFT_OUT if left_out else ""), f"{number[0]}_vs_{gap}", result, **labels)


def _described(x: pd.Series, y: pd.Series) -> dict:
    """Spearman's rho without a p."""
    result = {"n": len(x)}
    if len(x) < FEWEST_PAIRS or min(np.ptp(x), np.ptp(y)) < ROUNDING:
        return result | DEGENERATE
    rho = float(stats.spearmanr(*(np.round(side, 12) for side in (x, y))).statistic)
    return result | DESCRIPTIVE | {"statistic": rho, "effect": rho}


def _tested(x: pd.Series, y: pd.Series) -> dict:
    """The same with p by permutation, where there are enough autoencoders."""
    if len(x) < FEWEST:
        return _described(x, y) | TOO_FEW
    return correlation(
        "spearman", x, y, pd.DataFrame({"dataset": MACRO, "autoencoder": x.index}), alternative="greater"
    )


def of_table1(tests: pd.DataFrame) -> pd.DataFrame:
    """The rows of diagnostics_vs_gap.csv over autoencoders with Table 1's gap, on all datasets."""
    return tests[(tests["test"] == OVER_AUTOENCODERS) & tests["comparison"].str.endswith(f"_vs_{GAP}")]


def suspects_of(tests: pd.DataFrame, *suspects: tuple[str, str]) -> pd.DataFrame:
    """Those of what the paper suspects, in the order of SUSPECTS, or of these alone."""
    rows = of_table1(tests)
    return pd.concat([rows[is_of(rows, suspect)] for suspect in suspects or SUSPECTS])
