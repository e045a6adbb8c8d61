"""The controls as a readable page."""

import pandas as pd

from ..significance.level import CONFIDENCE
from .formats import render
from .labels import PHANTOM_NOTICE, Labels, data_notes, datasets_of, labels_of_controls, recipe_in_words
from .layout import MISSING, Layout, points

TITLE = "Controls"
CAPTION = (
    f"significance/controls.csv. Points of balanced accuracy with {CONFIDENCE} intervals over groups of test images. "
    "Found: the interval lies above 0. Absent: it lies within ± the margin, half the mean matched gap of the families "
    "and at most 5 points. With the recipes of Table 1 no value is expected: these rows show what the protocol alone "
    "causes."
)
STUBS = ["Control", "Data set", "Recipe", "Truth", "Verdict"]
HEADS = ["gap", "known gap", "margin", "score of the latents", "chance"]


def render_controls(controls: pd.DataFrame, labels: Labels) -> str:
    """controls.csv, with "n/a" kept, as HTML."""
    datasets = datasets_of(controls, labels)
    rows = [
        [
            datasets[row["dataset"]],
            recipe_in_words(row["recipe"]),
            *(MISSING if row[column] == "n/a" else row[column] for column in ("expected", "verdict")),
            _with_interval(row, "effect", "ci_low", "ci_high"),
            _points(row["expected_effect"]),
            _points(row["margin"]),
            _with_interval(row, "score", "score_ci_low", "score_ci_high"),
            _points(row["chance"]),
        ]
        for row in controls.to_dict("records")
    ]
    names = labels_of_controls(controls["control"], labels.autoencoders)
    section = [(names[name], [row]) for name, row in zip(controls["control"], rows, strict=True)]
    notes = data_notes(controls["dataset"], labels)
    caption = CAPTION + (f" {PHANTOM_NOTICE}" if labels.synthetic & set(controls["dataset"]) else "")
    return render(Layout(TITLE, caption, STUBS, [("Points", HEADS)], [section], notes))["html"]


def _points(text: str) -> str:
    return MISSING if text == "n/a" else points(float(text))


def _with_interval(row: dict, column: str, low: str, high: str) -> str:
    shown = _points(row[column])
    return shown if row[low] == "n/a" else f"{shown} [{_points(row[low])}, {_points(row[high])}]"
