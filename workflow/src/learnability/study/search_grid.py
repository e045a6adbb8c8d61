"""The grid of a search: every combination of its choices."""

import itertools
import math

from .recipe import Search


def combinations(space: dict) -> float:
    """How many values a declared space has; infinitely many where a range is among its keys."""
    return math.prod(len(declared["choices"]) if "choices" in declared else math.inf for declared in space.values())


def grid(search: Search) -> list[dict]:
    """Every combination of the choices, which as many trials try once each; none where trials sample the space."""
    if search.trials != combinations(search.space):
        return []
    keys = sorted(search.space)
    values = itertools.product(*(search.space[key]["choices"] for key in keys))
    return [dict(zip(keys, combination, strict=True)) for combination in values]
