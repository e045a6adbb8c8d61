"""How the classes lie in pooled latents (n, C)."""

import numpy as np

FEWEST = 4  # images of a class whose covariance is taken


def within_share(pooled: np.ndarray, label: np.ndarray) -> float:
    """Share of the variance that lies within classes: tr(within) / tr(total), 1 where classes say nothing."""
    total = np.square(pooled - pooled.mean(axis=0)).sum()
    within = sum(np.square(pooled[label == k] - pooled[label == k].mean(axis=0)).sum() for k in np.unique(label))
    return float(within / total)


def within_class_spread(pooled: np.ndarray, label: np.ndarray) -> float | None:
    """VIV: mean over classes of the mean of (pi / 2) sqrt(lambda) over the eigenvalues of the class's covariance.

    It falls with the number of channels as 1 / sqrt(C): compare `within_share`, or VIV times sqrt(C). Classes of fewer
    than four images are left out; None where all are.
    """
    classes = [pooled[label == k] for k in np.unique(label) if np.sum(label == k) >= FEWEST]
    if not classes:
        return None
    spreads = [np.linalg.eigvalsh(np.atleast_2d(np.cov(rows, rowvar=False))).clip(min=0) for rows in classes]
    return float(np.mean([np.mean(np.pi / 2 * np.sqrt(values)) for values in spreads]))
