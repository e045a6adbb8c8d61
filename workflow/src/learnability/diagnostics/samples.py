"""Which rows of a dataset are looked at where all would be too many; always the same ones."""

import numpy as np


def sample(number: int, most: int) -> np.ndarray:
    """At most so many of `number` rows, ascending."""
    return np.sort(np.random.default_rng(0).permutation(number)[:most])


def stratified(label: np.ndarray, number: int) -> np.ndarray:
    """At most `number` rows (n,), ascending: of each class its share, and one at least."""
    order = np.random.default_rng(0).permutation(len(label))
    place = np.empty(len(label))  # of a row within its class, from 0 to 1; the first of each come before all others
    for k in np.unique(label):
        rows = order[label[order] == k]
        place[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
        place[rows[0]] = 0
    return np.sort(order[np.argsort(place[order], kind="stable")[:number]])
