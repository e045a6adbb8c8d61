"""The scenarios of the simulation: two learners, and how much of the gap's variance is that of training."""

from .studies import Scenario

GAPS = (0.0, 0.02, 0.04, 0.06, 0.082, 0.122)
FEWER = (0.0, 0.082)
MAIN = {
    "centroid": Scenario("centroid", "nearest centroid"),
    "ridge": Scenario("ridge", "ridge"),
}  # rows drawn with replacement and nothing else, as in the trial that the formula comes from
OTHERS = {
    "test groups alone": Scenario("test groups alone", "nearest centroid", known=1e6, drawn=0.0),
    "centroid, few training groups": Scenario("centroid, few training groups", "nearest centroid", used=0.25),
    "centroid, fewest training groups": Scenario("centroid, fewest training groups", "nearest centroid", used=0.06),
    "centroid, seed": Scenario("centroid, seed", "nearest centroid", drawn=0.1),
    "ridge, few training groups": Scenario("ridge, few training groups", "ridge", used=0.25),
    "ridge, seed": Scenario("ridge, seed", "ridge", drawn=0.25),
}
