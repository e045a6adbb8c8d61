"""What the controls say of a study, in sentences: the first thing that is read of it."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..paper.findings import read_numbers
from ..paper.verdicts import shown
from ..significance.controls import ABSENT, FOUND, UNDECIDED
from ..storage.contracts import read_json
from ..study.truths import CONTROLS, GAP, NO_GAP, TABLE1

RIGHT, WRONG, OPEN = "supported", "refuted", "open"  # kinds, which the page colours as it does verdicts of claims
NOT_RUN = (
    "This study has no controls, so nothing in it shows that it finds a gap that is there, and only such a one: "
    "study.controls, for example [pixel_unshuffle_8, enciphered_8]."
)


class Line(NamedTuple):
    """One comparison: its verdict, whether that is as it must be, and the numbers."""

    verdict: str
    kind: str
    text: str


class Said(NamedTuple):
    """What all controls together say, and the lines of each."""

    kind: str
    lead: str
    lines: list[Line]


def controls_in_words(
    controls: pd.DataFrame | None, dataset: Callable[[str], str], autoencoders: Mapping[str, str]
) -> Said:
    """Sentences of controls.csv, its numbers as `paper.findings.read_numbers` gives them; None of a study without any.

    `dataset` gives the label of a data set, `autoencoders` has those of all controls that are no replicates. A study
    whose controls fail says that first.
    """
    if controls is None or controls.empty:
        return Said(OPEN, NOT_RUN, [])
    rows = []
    for row in controls.to_dict("records"):
        name = autoencoders.get(row["control"], f"{row['control']} (the same training, another seed)")
        rows.append(row | {"where": f"{name} on {dataset(row['dataset'])}"})
    lines = [_line(row) for row in rows]
    judged = [row for row in rows if row["recipe"] != TABLE1]
    if failures := list(filter(None, map(failure, judged))):
        text = "The controls of this study fail. Read no gap from it before the reason is known: "
        return Said(WRONG, f"{text}{'; '.join(failures)}.", lines)
    still_open = any(row["verdict"] == UNDECIDED for row in judged)
    return Said(OPEN if still_open else RIGHT, _lead(judged), lines)


def controls_of(folder: Path) -> Said:
    """The same of a results folder, with names for labels; the study of study.json may have controls to be judged."""
    study, path = folder / "study.json", folder / "significance" / "controls.csv"
    scopes = read_json(study).get("scopes", {}) if study.is_file() else {}
    names = scopes.get(CONTROLS, {}).get("autoencoders", [])
    if names and not path.is_file():
        return Said(OPEN, f"The controls are not judged yet: ask for {path}, or for the target `{CONTROLS}`.", [])
    shown_names = {name: name.replace("_", " ") for name in names}
    return controls_in_words(read_numbers(path) if names else None, lambda name: name.replace("_", " "), shown_names)


def failure(row: dict) -> str | None:
    """What is wrong with a control, or None where it is as it must be, or cannot be told."""
    low, high = row["ci_low"], row["ci_high"]
    if row["score_ci_low"] > row["chance"]:  # never of NaN
        return f"{row['where']} scores above chance, as images that are repeated across folds would make it"
    if row["expected"] == GAP and row["verdict"] != FOUND:
        if row["expected_effect"] <= row["margin"]:
            return f"the images themselves are scored at chance, so that {row['where']} has no gap to be found"
        return f"the gap of {row['where']} is there and was not found ({row['verdict']})"
    if row["expected"] == NO_GAP and row["verdict"] != ABSENT and (low > 0 or high < 0):
        seen = "a gap" if low > 0 else "the opposite of a gap"
        return f"{row['where']} shows {seen}, and there is none"
    return None


def _lead(rows: list[dict]) -> str:
    """Of controls none of which fails."""
    with_gap, without = ([row for row in rows if row["expected"] == expected] for expected in (GAP, NO_GAP))
    parts = ["a gap that is there is found"] if with_gap else []
    undecided = [row for row in without if row["verdict"] == UNDECIDED]
    if undecided:
        number = f"{len(undecided)} of {len(without)} controls without a gap"
        parts.append(f"whether this study sees a gap where there is none cannot be told from so few images ({number})")
    elif without:
        parts.append(f"where there is none it is absent, within ±{_points(without[0]['margin'])}")
    text = "; ".join(parts)
    return f"Controls: {text}."


def _line(row: dict) -> Line:
    measured = _measured(row)
    if row["recipe"] == TABLE1:
        text = f"{row['where']}, by the recipes of Table 1: {measured}, which is what the protocol alone makes."
        return Line("protocol", "", text)
    wrong, verdict = failure(row), row["verdict"]
    kind = WRONG if wrong else OPEN if verdict == UNDECIDED else RIGHT
    if row["expected"] == GAP:
        known = row["expected_effect"]
        truth = f"a gap of {_points(known)} by construction" if np.isfinite(known) else "a gap by construction"
        text = f"{row['where']}, {truth}: {measured}."
        if np.isfinite(row["score"]):
            score = f"{row['score']:.3f}{_interval(row, 'score_ci_low', 'score_ci_high', '{:.3f}'.format)}"
            text += f" Its latents score {score}; chance is {row['chance']:.3f}."
        return Line(verdict, kind, text)
    margin = f"; absent means within ±{_points(row['margin'])}" if verdict != FOUND else ""
    return Line(verdict, kind, f"{row['where']}, no gap by construction: {measured}{margin}.")


def _measured(row: dict) -> str:
    low_and_high = _interval(row, "ci_low", "ci_high", lambda value: shown(value, "points"))
    note = " (sampling only)" if row["method"] == "sampling only" else ""
    return f"{_points(row['effect'])}{low_and_high}{note}"


def _interval(row: dict, low: str, high: str, words: Callable[[float], str]) -> str:
    ends = row[low], row[high]
    return f" [{words(ends[0])}, {words(ends[1])}]" if np.isfinite(ends).all() else ""


def _points(value: float) -> str:
    return f"{shown(value, 'points')} points"


def as_rst(said: Said) -> str:
    """The same in reStructuredText, which Snakemake's report begins with."""

    def escaped(text: str) -> str:
        return re.sub(r"([\\*`_|])", r"\\\1", text)

    lines = [f"- **{line.verdict}**: {escaped(line.text)}\n" for line in said.lines]
    return f"**{escaped(said.lead)}**\n\n{''.join(lines)}"
