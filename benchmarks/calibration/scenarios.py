"""The scenarios of the simulation: two learners, and how much of the gap's variance is that of training."""

from .studies import Scenario

GAPS = (0.0,)
POWER_GAPS = (0.02, 0.04, 0.06, 0.082, 0.122)
MAIN = (Scenario("centroid", "nearest centroid"), Scenario("ridge", "ridge"))  # only rows are drawn again
OTHERS = (
    Scenario("centroid, test groups alone", "nearest centroid", known=1e6, drawn=0.0),
    Scenario("centroid, few training groups", "nearest centroid", used=0.25),
    Scenario("centroid, fewest training groups", "nearest centroid", used=0.06),
    Scenario("centroid, few rows by seed", "nearest centroid", drawn=0.1),
    Scenario("ridge, few training groups", "ridge", used=0.25),
)
# Where controls are judged: (scenario, gap of the lossless control, folds, share of the studies); and scores.
CONTROLLED = tuple((scenario, 0.0, 5, 0.2) for scenario in (*MAIN, OTHERS[2], OTHERS[3], OTHERS[4]))
CONTROLLED += ((MAIN[0], 0.0, 2, 0.2), (OTHERS[2], 0.0, 2, 0.2), (MAIN[0], 0.082, 5, 0.1))


def in_words(scenario: Scenario, gap: float, folds: int) -> str:
    """Describe an entry of CONTROLLED."""
    unsound = f", the lossless control has a gap of {100 * gap:g} points" if gap else ""
    return f"{scenario.name}, {folds} folds{unsound}"


SCORED = (*MAIN, OTHERS[4])
# The gaps at which power is shown, by scenario.
POWER = ((MAIN[0], POWER_GAPS), (MAIN[1], (0.082,)))
