"""What the rows of a fold must satisfy so that a classifier can be trained, chosen and scored on them."""

import numpy as np

from ..errors import InputError


def usable_classes(label: np.ndarray, number: int, positive: int | None = None) -> list[int]:
    """The classes, out of `number`, with positives and negatives in `label`; of two classes, `positive` or none."""
    classes = [positive] if number == 2 else range(number)
    return [k for k in classes if 0 < np.count_nonzero(label == k) < len(label)]


def check_split(
    label: np.ndarray, split: dict[str, np.ndarray], classes: list[str], positive: str | None, where: str
) -> None:
    """Refuse train, validation or test rows that are empty or of one class, and test rows that allow no AUC.

    `label` (N,) are indices into `classes`; `where` names the fold in messages.
    """
    for name, rows in split.items():
        if not len(rows):
            raise InputError(f"{where} has no {name} rows; use fewer folds, or another seed")
    if not usable_classes(label[split["test"]], len(classes), classes.index(positive) if positive else None):
        raise InputError(
            f"{where}: its test rows hold no class with both positives and negatives, so there is no AUC; use fewer "
            "folds, or another seed"
        )
    for name, rows in split.items():
        present = np.unique(label[rows])
        if len(present) == 1:
            raise InputError(
                f"{where} has {name} rows of one class alone, {classes[present[0]]}; use fewer folds, another seed, or "
                "`rare_classes: drop`"
            )
