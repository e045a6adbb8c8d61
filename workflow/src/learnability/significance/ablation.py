"""Table 4's tests: each row against the latent row and against the reconstruction row."""

import pandas as pd

from ..storage.contracts import SCORES
from .cells import ANY_CELL, paired_differences, runs_by_cell, runs_of
from .macro import MACRO, with_macro
from .rows import table
from .t_tests import t_rows

REFERENCES = ("latent", "reconstruction")
STEPS = [("noise_conditioned", "tuned")]  # what the paper says of one row against the row before it


def ablation(metrics: pd.DataFrame, rows: dict[str, tuple[str, str]]) -> pd.DataFrame:
    """Plain and corrected paired t-tests over folds: `{row}_vs_latent`, `{row}_vs_reconstruction`, and of `STEPS`.

    `rows` names (space, recipe) of each row, `metrics` are the runs of these and of nothing else: every
    autoencoder in it has every row on each of its datasets, or an InputError names what lacks. `dataset` is also
    `macro`, the mean over datasets within a fold, for autoencoders that are on all of them. Holm's correction is
    over all comparisons with one reference row: the other rows times datasets times autoencoders; the macro
    averages, which repeat the same runs, are a family of their own. Each test and metric is corrected alone.
    """
    frame = with_macro(metrics)
    pairs = frame.loc[frame["role"] != "baseline", ["dataset", "autoencoder"]].drop_duplicates()
    references = [name for name in REFERENCES if name in rows]
    compared = [(name, reference) for reference in references for name in rows if name != reference]
    compared += [step for step in STEPS if {*step} <= rows.keys()]
    entries = []
    for metric in SCORES:
        runs = runs_by_cell(frame, metric, ANY_CELL)
        for pair in pairs.itertuples(index=False, name=None):
            sides = {name: runs_of(runs, *pair, *row) for name, row in rows.items()}
            for first, second in compared:
                cell = paired_differences(sides[first], sides[second], metric)
                entries += t_rows(cell, f"{first}_vs_{second}")
    return table(entries, together=_compared_with)


def _compared_with(entry: dict) -> tuple:
    reference = entry["comparison"].rpartition("_vs_")[2]
    return entry["test"], reference, entry["metric"], entry["dataset"] == MACRO
