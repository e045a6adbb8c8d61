"""Teachers of distilled classifiers: the logits of a trained run on the training rows of its fold."""

from pathlib import Path

import torch

from ..classifiers.saved import load_classifier
from ..storage.arrays import PackedWriter
from ..storage.contracts import CELL, write_json
from .evaluation import predict_logits
from .fold_data import Inputs, load_fold


def write_teacher_logits(
    run: Path, cell: dict, n_splits: int, inputs: Inputs, device: torch.device, path: Path
) -> None:
    """Write the unscaled logits of the run `cell` in folder `run`, float32 (n_train, K), in the order of training rows.

    Computed once per run, for every student and every epoch; no row of validation or test is in the file. Beside it is
    a card of the same name with its digest.
    """
    model = load_classifier(run, device)
    data = load_fold(cell, n_splits, inputs, device, keep=False)
    logits = predict_logits(model, data, "train").cpu().numpy()
    with PackedWriter(path, logits.shape[1:], "float32") as file:
        file.write(logits)
    write_json({key: cell[key] for key in CELL} | {"digest": file.digest}, path.with_suffix(".json"))
