"""How the classes lie in pooled latents (n, C)."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch

from .neighbours import NEIGHBOURS, nearest, neighbour_consistency
from .rows import Row, row
from .samples import stratified

KS = (5, 20)
FEWEST = 4  # images of a class whose covariance is taken


def within_share(pooled: np.ndarray, label: np.ndarray) -> float | None:
    """Share of the variance within classes: tr(within) / tr(total), 1 if classes explain nothing; None without any."""
    total = np.square(pooled - pooled.mean(axis=0)).sum()
    within = sum(np.square(pooled[label == k] - pooled[label == k].mean(axis=0)).sum() for k in np.unique(label))
    return float(within / total) if total else None


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


def labels_by_chance(label: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Labels (n,) permuted over whole groups: how classes would look if they were unrelated to latents."""
    first, codes = np.unique(group, return_index=True, return_inverse=True)[1:]
    return np.random.default_rng(0).permutation(label[first])[codes]


def diagnose_classes(variant: str, pooled: torch.Tensor, label: np.ndarray, group: np.ndarray) -> Iterator[Row]:
    """The numbers that need labels (N,) and groups (N,), of pooled latents (N, C), each beside that of dealt labels.

    Neighbours are sought in a sample stratified by class; the shares of variance are of all rows.
    """
    pair, features = (label, labels_by_chance(label, group)), pooled.cpu().numpy()
    one = "one class" if len(np.unique(label)) < 2 else None
    yield from consistency(variant, pooled, pair, group, one)
    yield row("within_share", variant, len(label), partial(within_share, features), pair, "no variance", one)
    few = f"no class of {FEWEST} images"
    yield row("viv", variant, len(label), partial(within_class_spread, features), pair, few, one)


def consistency(
    variant: str, pooled: torch.Tensor, pair: tuple[np.ndarray, np.ndarray], group: np.ndarray, one: str | None
) -> Iterator[Row]:
    """LNC of both labels (N,), with each number of neighbours; `one` is why there is none."""
    chosen = stratified(pair[0], NEIGHBOURS)
    pair, group = [labels[chosen] for labels in pair], group[chosen]
    unit = torch.nn.functional.normalize(pooled[chosen], dim=1)  # nearest by cosine
    largest = np.bincount(np.unique(group, return_inverse=True)[1]).max()
    for k in KS:
        few = one or ("fewer images than neighbours" if len(group) - largest < k else None)
        found = None if few else nearest(unit, group, k)[1]
        of_labels = partial(neighbour_consistency, found, group=group)
        yield row("lnc", f"{variant};k={k}", len(group), of_labels, pair, "", few)
