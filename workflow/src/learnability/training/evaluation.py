"""What a trained classifier predicts, and how good that is: predictions, scores, and scores over the noise level."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ..classifiers.classifier import Classifier
from ..classifiers.saved import load_classifier
from ..storage.contracts import SCORES, read_predictions, write_parquet
from .fold_data import FEATURE_BATCH, Fold, Inputs, load_fold
from .metrics import area_under_curve, balanced_accuracy, matthews_correlation

EVALUATION_BATCH = 512
CURVE = [0.0, *np.geomspace(0.01, 80, 12).tolist()]  # sigma; the same for every classifier, so that curves compare


@torch.inference_mode()
def predict_logits(model: Classifier, data: Fold, split: str) -> torch.Tensor:
    """Unscaled logits of a split, float32 (n, K), on the device; of images that are stored, where training decodes."""
    model.eval()
    logits, rows = [], data.rows if data.stored is None or split == "train" else data.stored
    for x in rows.batches(data.split[split], FEATURE_BATCH if data.features else EVALUATION_BATCH):
        with autocast(data.rows.device):
            logits.append(model(x.float().contiguous(memory_format=torch.channels_last)).float())
    return torch.cat(logits)


def autocast(device: torch.device) -> torch.autocast:
    """bfloat16 on a GPU, nothing on a CPU."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


def predict(model: Classifier, data: Fold, split: str) -> np.ndarray:
    """Class probabilities of a split: softmax of the unscaled logits, float64 (n, K)."""
    return predict_logits(model, data, split).double().softmax(dim=1).cpu().numpy()


def write_predictions(model: Classifier, data: Fold, path: Path, validation: np.ndarray | None = None) -> None:
    """Write the probabilities of the validation and test rows; those of `validation` (n, K) where they are known."""
    parts = []
    for split in ("validation", "test"):
        part = data.samples.iloc[data.split[split]][["sample_id", "label"]].assign(split=split)
        known = validation if split == "validation" else None
        part[data.card["classes"]] = predict(model, data, split) if known is None else known
        parts.append(part)
    write_parquet(pd.concat(parts, ignore_index=True), path)


def score_file(path: Path, card: dict) -> dict:
    """Metrics on the test rows, from the predictions as they were written."""
    predictions = read_predictions(path, card["classes"])
    test = predictions[predictions["split"] == "test"]
    return score(test["label"].to_numpy(), test[card["classes"]].to_numpy(), card)


def score(label: np.ndarray, probability: np.ndarray, card: dict) -> dict:
    """Balanced accuracy, AUC and MCC of `probability` (n, K), and how many classes the AUC is over."""
    positive = card["classes"].index(card["positive"]) if len(card["classes"]) == 2 else None
    auc, classes_used = area_under_curve(label, probability, positive)
    predicted = probability.argmax(axis=1)
    return {
        "balanced_accuracy": balanced_accuracy(label, predicted),
        "auc": auc,
        "mcc": matthews_correlation(label, predicted),
        "classes_used": classes_used,
    }


def trace_noise_curve(
    run: Path, cell: dict, n_splits: int, inputs: Inputs, device: torch.device, seed: int
) -> pd.DataFrame:
    """The noise curve of the run `cell` in folder `run`, with columns that name it."""
    data = load_fold(cell, n_splits, inputs, device, keep=False)
    return noise_curve(load_classifier(run, device), data, seed).assign(**cell)


def noise_curve(model: Classifier, data: Fold, seed: int) -> pd.DataFrame:
    """Scores on the test rows at the noise levels of CURVE, of which 0 is clean: sigma, balanced_accuracy, auc, mcc, n.

    A sample's noise is its own at every level, whatever the batch or its neighbours are. A classifier that was
    trained without noise gets the same noise, per channel in units of its normalised latents, and no level.
    """
    probabilities: dict[float, list[np.ndarray]] = {sigma: [] for sigma in CURVE}
    for x, noise in noisy_batches(model, data, seed):
        for sigma, parts in probabilities.items():
            parts.append(noisy_probabilities(model, x, noise, sigma))
    label = data.label[data.split["test"]]
    rows = []
    for sigma, parts in probabilities.items():
        scores = score(label, np.concatenate(parts), data.card)
        rows.append({"sigma": sigma} | {name: scores[name] for name in SCORES} | {"n": len(label)})
    return pd.DataFrame(rows)


def noisy_batches(model: Classifier, data: Fold, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Normalised latents of the test rows with standard normal noise of the same shape, both (n, C, h, w)."""
    model.eval()
    rows, ids, start = data.split["test"], data.samples["sample_id"].to_numpy(), 0
    for z in data.rows.batches(rows, EVALUATION_BATCH):
        names = ids[rows[start : start + len(z)]]
        start += len(z)
        noise = np.stack([sample_noise(name, z.shape[1:], seed) for name in names])
        yield model.normalise(z.float()), torch.from_numpy(noise).to(z.device)


def sample_noise(sample_id: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Standard normal noise of one sample, float32, drawn from a seed of its own."""
    own = int.from_bytes(hashlib.sha256(sample_id.encode()).digest()[:8], "little")
    return np.random.default_rng([seed, own]).standard_normal(shape, dtype=np.float32)


@torch.inference_mode()
def noisy_probabilities(model: Classifier, x: torch.Tensor, noise: torch.Tensor, sigma: float) -> np.ndarray:
    """Class probabilities of normalised latents x with noise of level `sigma`, float64 (n, K)."""
    level = torch.full((len(x),), sigma, device=x.device) if sigma else None
    noisy = model.add_noise(x, level, noise) if sigma else x
    with autocast(x.device):
        logits = model.logits(noisy.contiguous(memory_format=torch.channels_last), level)
    return logits.double().softmax(dim=1).cpu().numpy()
