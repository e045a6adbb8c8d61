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
# In which controls are judged, as (scenario, gap of the lossless control, folds, share of the studies); and scores.
CONTROLLED = tuple((scenario, 0.0, 5, 0.2) for scenario in (*MAIN, OTHERS[2], OTHERS[3], OTHERS[4]))
CONTROLLED += ((MAIN[0], 0.0, 2, 0.2), (OTHERS[2], 0.0, 2, 0.2), (MAIN[0], 0.082, 5, 0.1))


def in_words(scenario: Scenario, gap: float, folds: int) -> str:
    """Of an entry of CONTROLLED."""
    unsound = f", the lossless control has a gap of {100 * gap:g} points" if gap else ""
    return f"{scenario.name}, {folds} folds{unsound}"


SCORED = (*MAIN, OTHERS[4])
# Whose power is shown at which gaps.
POWER = ((MAIN[0], POWER_GAPS), (MAIN[1], (0.082,)))
