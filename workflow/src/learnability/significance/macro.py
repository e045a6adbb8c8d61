"""The macro average: every dataset counts the same, whatever its size."""

import pandas as pd

from ..errors import InputError
from ..storage.contracts import SCORES

MACRO = "macro"


def with_macro(metrics: pd.DataFrame) -> pd.DataFrame:
    """Append runs of a dataset `macro`: scores and row counts of a fold, averaged over the datasets.

    Only for autoencoders that are on all datasets; a run that one dataset lacks and another has is an error.
    """
    run = ["autoencoder", "space", "recipe", "fold"]
    datasets = metrics["dataset"].unique()
    everywhere = metrics.groupby("autoencoder")["dataset"].transform("nunique") == len(datasets)
    # Sums depend on the order of their terms, and tables must be the same bytes every time.
    whole = metrics[everywhere].sort_values("dataset", kind="stable")
    for key, runs in whole.groupby(run, sort=False):
        for dataset in sorted(set(datasets) - set(runs["dataset"])):
            where = "autoencoder {}, space {}, recipe {}, fold {}".format(*key)
            raise InputError(f"dataset {dataset}, {where} is missing; the macro average needs it: run it")
    averaged = [column for column in (*SCORES, "n_train", "n_test") if column in metrics]
    kept = dict.fromkeys(averaged, "mean") | {"role": "first"}
    macro = whole.groupby(run, sort=False).agg(kept).reset_index().assign(dataset=MACRO)
    return pd.concat([metrics, macro], ignore_index=True)[["dataset", *run, "role", *averaged]]
