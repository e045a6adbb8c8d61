"""Bits: what a classifier's probabilities say about the classes, and what a learning curve costs (docs/probes.md)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from ..storage.contracts import PREDICTIONS, read_predictions, split_rows
from .predictions import Images, order_of_split

BITS = ["entropy", "cross_entropy", "information", "temperature"]  # columns beside the metrics of a run
TEMPERATURES = (0.01, 100.0)  # between which it is fitted
TINY = np.finfo(np.float64).tiny


def with_bits(
    metrics: pd.DataFrame, paths: Sequence[str | Path], images: Mapping[str, Images], classes: Mapping[str, list[str]]
) -> pd.DataFrame:
    """Runs with the columns BITS, of their test rows; `paths` are their predictions in the same order.

    `images` and `classes` are by dataset.
    """
    runs = zip(paths, metrics["dataset"], metrics["fold"], strict=True)
    found = [bits_of_run(path, images[name], classes[name], fold) for path, name, fold in runs]
    return metrics.assign(**pd.DataFrame(found, columns=BITS, index=metrics.index))


def bits_of_run(path: str | Path, images: Images, classes: list[str], fold: int) -> dict[str, float]:
    """H_V(Y), H_V(Y|Z), their difference (Xu et al. 2020, arXiv 2002.10689), all in bits, and the temperature.

    H_V(Y) is the cross-entropy of the classes' shares of the training rows, H_V(Y|Z) that of the probabilities at the
    temperature that is best on the validation rows. Rows of a class that has no training row are left out of both. A
    file that lacks rows of either split is an InputError.
    """
    train = images.label[split_rows(images.fold, fold, images.n_splits)["train"]]
    counts = np.bincount(train, minlength=len(classes))
    frame = read_predictions(path, classes)
    sides = {}
    for split in ("validation", "test"):
        rows = frame[frame["split"] == split]
        order_of_split(path, rows["sample_id"], rows["label"].to_numpy(), images, fold, split)
        rows = rows[counts[rows["label"]] > 0]
        logits = np.log(np.maximum(rows[frame.columns[len(PREDICTIONS) :]].to_numpy(), TINY))
        sides[split] = logits, rows["label"].to_numpy()
    temperature = fit_temperature(*sides["validation"])
    entropy = float(-np.log2(counts[sides["test"][1]] / len(train)).mean())
    conditional = cross_entropy(*sides["test"], temperature)
    return dict(zip(BITS, (entropy, conditional, entropy - conditional, temperature), strict=True))


def cross_entropy(logits: np.ndarray, label: np.ndarray, temperature: float = 1.0) -> float:
    """Mean -log2 of the probability of the true class; `logits` (n, K) up to a constant per row, `label` (n,)."""
    log_probability = log_softmax(logits / temperature, axis=1)[np.arange(len(label)), label]
    return float(-log_probability.mean() / np.log(2))


def fit_temperature(logits: np.ndarray, label: np.ndarray) -> float:
    """The temperature within TEMPERATURES that minimises the cross-entropy, which is convex in its inverse."""
    how = {"bounds": np.log(TEMPERATURES), "method": "bounded", "options": {"xatol": 1e-8}}
    return float(np.exp(minimize_scalar(lambda x: cross_entropy(logits, label, np.exp(x)), **how).x))


def surplus_description_length(n: Sequence[float], loss: Sequence[float], eps: float) -> float:
    """SDL = sum of (n_i - n_(i-1)) max(L_i - eps, 0), n_0 = 0, right end points: what data cost beyond eps bits each.

    `n` (k,) are images in ascending order, `loss` (k,) bits at these (Whitney et al. 2020, arXiv 2009.07368).
    """
    return float((np.diff(n, prepend=0.0) * np.maximum(np.asarray(loss) - eps, 0.0)).sum())


def sample_complexity(n: Sequence[float], loss: Sequence[float], eps: float) -> float | None:
    """eSC: the least n whose loss is eps or less; None where none is."""
    return min((size for size, bits in zip(n, loss, strict=True) if bits <= eps), default=None)
