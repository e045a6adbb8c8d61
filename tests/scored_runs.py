"""Runs with made-up scores, as `contracts.read_metrics` returns them for tables and tests."""

import numpy as np
import pandas as pd

SCORES = ["balanced_accuracy", "auc", "mcc"]


def scored_runs(cells, datasets=("ct_rate", "isic2019", "cardium"), folds=(0, 1, 2, 3, 4)):
    """A run per dataset, cell and fold; `cells` are (autoencoder, space, recipe), whose names seed the scores."""
    rows = []
    for dataset in datasets:
        for autoencoder, space, recipe in cells:
            drawn = np.random.default_rng(sum(map(ord, dataset + autoencoder + 2 * space + 3 * recipe)))
            role = {"original": "baseline", "unshuffle": "control"}.get(autoencoder, "family")
            for fold in folds:
                identity = {"dataset": dataset, "autoencoder": autoencoder, "space": space, "recipe": recipe}
                scores = dict(zip(SCORES, drawn.normal([0.5, 0.7, 0.3], 0.03), strict=True))
                sizes = {"n_train": 600 + 10 * len(dataset), "n_validation": 200, "n_test": 200 + fold}
                rows.append(identity | {"role": role, "fold": fold, "seed": fold} | scores | sizes)
    return pd.DataFrame(rows)


def of(metrics, dataset, autoencoder, space, recipe, metric="balanced_accuracy"):
    """The scores of one cell in the order of the folds."""
    names = metrics[["dataset", "autoencoder", "space", "recipe"]]
    found = metrics[(names == [dataset, autoencoder, space, recipe]).all(axis=1)].sort_values("fold")
    assert len(found), (dataset, autoencoder, space, recipe)
    return found[metric].to_numpy()


def without(metrics, **cell):
    """All runs except those of this cell, of which there must be some."""
    gone = (metrics[list(cell)] == list(cell.values())).all(axis=1)
    assert gone.any()
    return metrics[~gone]


def only(table, **labels):
    """The single row with these labels."""
    found = table[(table[list(labels)] == list(labels.values())).all(axis=1)]
    assert len(found) == 1, f"{len(found)} rows for {labels}"
    return found.iloc[0]
