"""A classifier of one space on the test rows of another: domain shift, told apart from information that is lost."""

from pathlib import Path

import pandas as pd
import torch

from ..classifiers.saved import load_classifier
from ..storage.contracts import SCORES
from .evaluation import predict, score
from .fold_data import Inputs, load_fold


def scores_on(run: Path, cell: dict, n_splits: int, inputs: Inputs, device: torch.device) -> dict[str, float]:
    """Scores of the classifier in `run` on the stored test rows of `cell`, whose space need not be its own.

    They are normalised as model.json of the run says, and evaluated as every run is on its own space.
    """
    model, data = load_classifier(run, device), load_fold(cell, n_splits, inputs, device, keep=False)
    found = score(data.label[data.split["test"]], predict(model, data, "test"), data.card)
    return {name: found[name] for name in SCORES}


def score_across(
    cell: dict, n_splits: int, runs: dict[str, Path], inputs: dict[str, Inputs], device: torch.device
) -> pd.DataFrame:
    """Both classifiers of a recipe on the other's images: a row each, with trained_on, tested_on and the scores.

    `cell` is that of the run in reconstruction space; `runs` and `inputs` are by space, image and reconstruction.
    """
    rows = []
    for trained_on, tested_on in (("image", "reconstruction"), ("reconstruction", "image")):
        name = "original" if tested_on == "image" else cell["autoencoder"]
        tested = cell | {"space": tested_on, "autoencoder": name}
        scores = scores_on(runs[trained_on], tested, n_splits, inputs[tested_on], device)
        identity = {key: cell[key] for key in ("dataset", "autoencoder", "recipe", "fold")}
        rows.append(identity | {"trained_on": trained_on, "tested_on": tested_on} | scores)
    return pd.DataFrame(rows)
