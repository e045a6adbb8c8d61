"""How the classes lie in pooled latents (n, C)."""

from collections.abc import Iterator

import numpy as np
import torch

from .latents import NEIGHBOURS, Row, or_absent, stratified
from .neighbours import nearest, neighbour_consistency

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
    dealt = labels_by_chance(label, group)
    one = "one class" if len(np.unique(label)) < 2 else None
    yield from consistency(variant, pooled, (label, dealt), group, one)
    features = pooled.cpu().numpy()
    shares = [None if one else within_share(features, labels) for labels in (label, dealt)]
    yield Row("within_share", variant, *(or_absent(share, one or "no variance") for share in shares), len(label))
    spreads = [None if one else within_class_spread(features, labels) for labels in (label, dealt)]
    few = one or f"no class of {FEWEST} images"
    yield Row("viv", variant, *(or_absent(spread, few) for spread in spreads), len(label))


def consistency(
    variant: str, pooled: torch.Tensor, pair: tuple[np.ndarray, np.ndarray], group: np.ndarray, one: str | None
) -> Iterator[Row]:
    """LNC of both labels (N,), with each number of neighbours; `one` is why there is none."""
    chosen = stratified(pair[0], NEIGHBOURS)
    of_both, group = [labels[chosen] for labels in pair], group[chosen]
    unit = torch.nn.functional.normalize(pooled[torch.from_numpy(chosen).to(pooled.device)], dim=1)  # nearest by cosine
    largest = np.bincount(np.unique(group, return_inverse=True)[1]).max()
    for k in KS:
        few = one or ("fewer images than neighbours" if len(group) - largest < k else None)
        found = None if few else nearest(unit, group, k)[1]
        values = [None if few else neighbour_consistency(found, labels, group) for labels in of_both]
        yield Row("lnc", f"{variant};k={k}", *(or_absent(value, few or "") for value in values), len(group))
