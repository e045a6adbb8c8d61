"""The noise levels between which the draws of a training lie."""

import math

TAIL = 3  # deviations from its mean up to which a normal draw counts as trained on
# Of flow: float32 tells no t from 0 and 1 beyond. A uniform t is 0 or more and at most 1 less the first.
FLOW_LOW, FLOW_HIGH = 2**-24 / (1 - 2**-24), (1 - 2**-24) / 2**-24
LARGEST = 700.0  # whose exponential is still a number


def normal_range(noise: dict) -> tuple[float, float]:
    """The σ range that holds nearly all draws with a normal logarithm."""
    ends = (noise["mean"] + side * TAIL * noise["deviation"] for side in (-1, 1))
    return tuple(math.exp(min(end, LARGEST)) for end in ends)


def trained_range(noise: dict) -> tuple[float, float]:
    """The lowest and the highest σ that a training of EDM or flow draws; `noise` has every key of its draw.

    A normal draw is cut off where it hardly ever comes. The first is not below the second where no level is left.
    """
    low, high = (noise["sigma_min"], noise["sigma_max"]) if noise["family"] == "edm" else (FLOW_LOW, FLOW_HIGH)
    if noise["draw"] in ("lognormal", "logit_normal"):
        lowest, highest = normal_range(noise)
        return max(low, lowest), min(high, highest)
    return (0.0 if noise["family"] == "flow" else low), high
