"""The noise levels between which a normal draw lies."""

import math

TAIL = 3  # deviations from its mean up to which a normal draw counts as trained on


def normal_range(noise: dict) -> tuple[float, float]:
    """The σ between which nearly all draws lie whose logarithm is normal."""
    return tuple(math.exp(noise["mean"] + side * TAIL * noise["deviation"]) for side in (-1, 1))
