"""The training rows of a learning curve: a share of the groups of a fold, class by class, each share in the next."""

from dataclasses import replace

import numpy as np
import torch

from .fold_data import Fold


def take_share(data: Fold, share: float, seed: int) -> Fold:
    """The fold with `share` of its training groups; validation and test rows stay whole.

    Moments, class counts and a teacher's logits are then of the rows that are left. `seed` is the study's plus the
    fold: all spaces, autoencoders and replicates of a fold have the same rows.
    """
    rows = data.split["train"]
    label, group = data.label[rows], data.samples["group"].to_numpy()[rows]
    kept = np.flatnonzero(shared_rows(label, group, share, seed))
    say_share(label, group, kept, share, data.card["classes"])
    teacher = data.teacher
    if teacher is not None:
        teacher = teacher[torch.from_numpy(kept).to(teacher.device)]
    return replace(data, split=data.split | {"train": rows[kept]}, teacher=teacher)


def shared_rows(label: np.ndarray, group: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Which rows belong to a share of the groups: bool (n,), of `label` (n,) and `group` (n,).

    A group counts for the rarest of its classes. Each class takes the first of its groups in one random order, their
    number rounded, and always the first group that has the class. So a smaller share lies in a larger one.
    """
    code = np.unique(group, return_inverse=True)[1]
    groups = code.max() + 1
    holds = np.zeros((groups, label.max() + 1), dtype=bool)
    holds[code, label] = True
    stratum = np.where(holds, holds.sum(axis=0), groups + 1).argmin(axis=1)
    order = np.random.default_rng(seed).permutation(groups)
    taken = np.zeros(groups, dtype=bool)
    taken[order[holds[order].argmax(axis=0)[holds.any(axis=0)]]] = True  # of each class the first group that has it
    for k in np.unique(stratum):
        own = order[stratum[order] == k]
        taken[own[: round(share * len(own))]] = True
    return taken[code]


def say_share(label: np.ndarray, group: np.ndarray, kept: np.ndarray, share: float, classes: list[str]) -> None:
    """Print how much is used, and the classes of which more than `share` is kept, because they have few groups."""
    count = f"{len(np.unique(group[kept])):,} of {len(np.unique(group)):,} groups, {len(kept):,} of {len(label):,} rows"
    print(f"train_share {share:g}: {count}", flush=True)
    for k in np.unique(label):
        used, there = len(np.unique(group[kept][label[kept] == k])), len(np.unique(group[label == k]))
        if share * there < 0.5:
            print(
                f"{classes[k]}: {used} of {there} training groups, more than the share; one at least is kept",
                flush=True,
            )
