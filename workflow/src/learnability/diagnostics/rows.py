"""One number about an encoding beside the one under its null, or the reason why there is none."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np


class Row(NamedTuple):
    """`value` and `null` are a float or the text `n/a (why)`; of `n` images."""

    diagnostic: str
    variant: str
    value: float | str
    null: float | str
    n: int


def absent(why: str) -> str:
    return f"n/a ({why})"


def or_absent(value: float | None, why: str) -> float | str:
    return absent(why) if value is None or not np.isfinite(value) else value


def row(
    diagnostic: str, variant: str, n: int, function: Callable[[Any], float | None], pair: Sequence, why: str,
    unless: str | None = None,
) -> Row:  # fmt: skip
    """What `function` finds of both of a `pair`: of what is measured, and of its null.

    `why` is the reason where it finds None or no finite number; for the reason `unless` it is not called.
    """
    values = [absent(unless)] * 2 if unless else [or_absent(function(one), why) for one in pair]
    return Row(diagnostic, variant, *values, n)
