"""What a run reads: the rows of one space, their labels, which of them train, and how they are normalised."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from .batches import Rows, channel_moments
from .classifiers.classifier import image_moments
from .contracts import InputError, read_folds, read_json, read_samples, split_rows
from .metrics import usable_classes
from .store import open_packed


@dataclass
class Fold:
    """The data of one run: rows of a packed array, their labels, and which rows are in which split."""

    rows: Rows
    array: np.ndarray
    samples: pd.DataFrame
    label: np.ndarray  # (N,)
    split: dict[str, np.ndarray]
    card: dict  # of the dataset
    source: dict  # role of the autoencoder and digest of the array


def load_fold(
    cell: dict,
    n_splits: int,
    array: Path,
    dataset: Path,
    autoencoder_card: Path | None,
    folds: Path,
    device: torch.device,
) -> Fold:
    """Open what a run reads, and check that its parts belong together."""
    card, samples = read_json(dataset / "dataset.json"), read_samples(dataset / "samples.parquet")
    source = {"role": "baseline", "digest": card["digest_small"]}
    if autoencoder_card is not None:
        encoding = read_json(autoencoder_card)
        if encoding["dataset_digest"] != card["digest"]:
            raise InputError(f"{autoencoder_card}: encoded from other images than {dataset}; delete it and run again")
        if encoding.get("fold") not in (None, cell["fold"]):
            raise InputError(
                f"{autoencoder_card}: fine-tuned on the training rows of fold {encoding['fold']}, among which are "
                f"images that fold {cell['fold']} tests on; give fold {cell['fold']} its own encoding"
            )
        source = {"role": encoding["role"], "digest": encoding[f"digest_{array.stem}"]}
    packed = open_packed(array)
    if len(packed) != len(samples):
        raise InputError(f"{array}: {len(packed)} rows for {len(samples)} samples; delete it and run again")
    split = split_rows(read_folds(folds, samples), cell["fold"], n_splits)
    empty = [name for name, rows in split.items() if not len(rows)]
    if empty:
        raise InputError(f"{folds}: fold {cell['fold']} has no {empty[0]} rows")
    label, classes, positive = samples["label"].to_numpy(), card["classes"], card["positive"]
    if not usable_classes(label[split["test"]], len(classes), classes.index(positive) if positive else None):
        raise InputError(
            f"{folds}: the test rows of fold {cell['fold']} hold no class with both positives and negatives, so there "
            "is no AUC; use fewer folds, or another seed"
        )
    return Fold(
        rows=Rows(packed, device, channels_last=cell["space"] != "latent"),
        array=packed,
        samples=samples,
        label=label,
        split=split,
        card=card,
        source=source,
    )


def describe(cell: dict, recipe: dict, seed: int, data: Fold) -> dict:
    """All that is needed to build the classifier again and normalise its input: the content of model.json."""
    if cell["space"] == "latent":
        mean, deviation = channel_moments(data.array, data.split["train"])
        std = np.maximum(deviation, 1e-6) / recipe["latent_std"]
        mean, std, channels, grid = mean.tolist(), std.tolist(), data.array.shape[1], data.array.shape[2:]
    else:
        (mean, std), channels, grid = image_moments(), 3, data.array.shape[1:3]
    return cell | {
        "model": recipe["model"],
        "model_options": recipe["model_options"],
        "init": recipe["init"],
        "in_channels": channels,
        "grid": list(grid),
        "classes": data.card["classes"],
        "mean": mean,
        "std": std,
        "seed": seed,
        "synthetic": data.card["synthetic"],
    }
