"""Two learners that train in a millisecond, for a stack of studies at once: class-balanced ridge, nearest centroid."""

from collections.abc import Callable

import numpy as np

RIDGE = 0.01  # of the mean squared feature, which is about 1
Learner = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float], np.ndarray]


def ridge(x: np.ndarray, label: np.ndarray, weight: np.ndarray, means: np.ndarray, known: float) -> np.ndarray:
    """Weights (S, p + 1, K) of a linear classifier per study: least squares on one-hot classes, each of weight 1 / K.

    x (S, n, p), label (n,), weight (S, n) of the rows within a class. `means` (K, p) are the classes' true means, of
    unit covariance; `known` counts images per class that are known beforehand, with the true means.
    """
    targets, balance, share = _balanced(label, weight, means, known)
    x = np.concatenate([x, np.ones_like(x[..., :1])], axis=2)
    weighted = np.swapaxes(x * balance[..., None], 1, 2)
    truth = np.concatenate([means, np.ones_like(means[:, :1])], axis=1)
    unit = np.diag([1.0] * (x.shape[2] - 1) + [0.0])
    # For each class, the known and the seen images are averaged, weighted by their numbers.
    moments = weighted @ x + np.einsum("sc,cp,cq->spq", share, truth, truth) + share.sum(1)[:, None, None] * unit
    products = weighted @ targets + np.swapaxes(share[..., None] * truth, 1, 2)
    return np.linalg.solve(moments + RIDGE * unit, products).astype(np.float32)


def nearest_centroid(
    x: np.ndarray, label: np.ndarray, weight: np.ndarray, means: np.ndarray, known: float
) -> np.ndarray:
    """As `ridge`, for the rule that takes the class with the nearest mean."""
    targets, balance, share = _balanced(label, weight, means, known)
    classes = len(means)
    centroids = classes * (np.swapaxes(targets * balance[..., None], 1, 2) @ x + share[..., None] * means)
    offsets = -(centroids**2).sum(2, keepdims=True) / 2
    return np.swapaxes(np.concatenate([centroids, offsets], axis=2), 1, 2).astype(np.float32)


def outputs(weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Outputs (S, n, K) of classifiers (S, p + 1, K) for images (S, n, p); the largest one is the prediction."""
    return x @ weights[:, :-1] + weights[:, -1:]


def _balanced(
    label: np.ndarray, weight: np.ndarray, means: np.ndarray, known: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One-hot classes (n, K), weights of rows (S, n) and of known images (S, K); in a class they sum to 1 / K."""
    targets = np.eye(len(means), dtype=np.float32)[label]
    total = weight @ targets + known
    return targets, weight / (len(means) * total)[:, label], known / (len(means) * total)


LEARNERS: dict[str, Learner] = {"ridge": ridge, "nearest centroid": nearest_centroid}
