"""The scenarios of the simulation: two learners, and how much of the gap's variance is that of training."""

from .studies import Scenario

GAPS = (0.0,)
POWER_GAPS = (0.02, 0.04, 0.06, 0.082, 0.122)
MAIN = (Scenario("centroid", "nearest centroid"), Scenario("ridge", "ridge"))  # rows are drawn again, and no more
OTHERS = (
    Scenario("centroid, test groups alone", "nearest centroid", known=1e6, drawn=0.0),
    Scenario("centroid, few training groups", "nearest centroid", used=0.25),
    Scenario("centroid, fewest training groups", "nearest centroid", used=0.06),
    Scenario("centroid, few rows by seed", "nearest centroid", drawn=0.1),
    Scenario("ridge, few training groups", "ridge", used=0.25),
)
# Whose power is shown at which gaps.
POWER = ((MAIN[0], POWER_GAPS), (MAIN[1], (0.082,)))
