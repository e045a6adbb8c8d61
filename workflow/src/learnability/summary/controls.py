"""What the controls say about a study, in sentences: the first thing a reader sees."""

import re
from collections.abc import Callable, Mapping
from itertools import filterfalse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..paper.findings import Effect, read_numbers
from ..significance.controls import ABSENT, FOUND
from ..significance.rows import SAMPLING
from ..study.study_file import read_study
from ..study.truths import CONTROLS, GAP, NO_GAP, TABLE1
from ..study.words import counted
from ..tables.labels import labels_of_controls, recipe_in_words
from ..tables.layout import points

RIGHT, WRONG, OPEN = "supported", "refuted", "open"  # kinds, which the page colours as it does verdicts of claims
UNKNOWN_TRAINING = 2  # the variance of a gap over that of sampling, where training's is not known: it is at most half
NOT_RUN = (
    "This study has no controls, so nothing shows that it finds existing gaps and only those: "
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
    names = labels_of_controls(controls["control"], autoencoders)
    rows = controls.to_dict("records")
    several = len({row["recipe"] for row in rows} - {TABLE1}) > 1
    for row in rows:
        by = f" by {recipe_in_words(row['recipe'])}" if several and row["recipe"] != TABLE1 else ""
        row["where"] = f"{names[row['control']]} on {dataset(row['dataset'])}{by}"
    judged = [row for row in rows if row["recipe"] != TABLE1]
    for row, wrong in zip(judged, failures(judged), strict=True):
        row |= {"wrong": wrong, "kind": _kind(row, wrong)}
    lines = [_line(row) for row in rows]
    if found := [row["wrong"] for row in judged if row["wrong"]]:
        text = "The controls of this study fail. Trust no gap from it until the reason is known: "
        return Said(WRONG, f"{text}{'; '.join(found)}.", lines)
    still_open = any(row["kind"] == OPEN for row in judged)
    return Said(OPEN if still_open else RIGHT, _lead(judged), lines)


def controls_of(folder: Path) -> Said:
    """The same of a results folder, with the labels of its study.json, or names; controls may wait to be judged."""
    study, path = folder / "study.json", folder / "significance" / "controls.csv"
    recorded = read_study(folder) if study.is_file() else {}
    names = recorded.get("scopes", {}).get(CONTROLS, {}).get("autoencoders", [])
    if names and not path.is_file():
        return Said(OPEN, f"The controls are not judged yet: ask for {path}, or for the target `{CONTROLS}`.", [])
    labels = recorded.get("labels", {})
    datasets = labels.get("datasets", {})
    shown_names = {name: labels.get("autoencoders", {}).get(name, name.replace("_", " ")) for name in names}
    frame = read_numbers(path) if names else None
    return controls_in_words(frame, lambda name: datasets.get(name, name.replace("_", " ")), shown_names)


def failures(rows: list[dict]) -> list[str | None]:
    """What is wrong with each judged control; None if it is as it must be, or cannot be told.

    One interval of many excludes by chance what is true. So a gap where there is none counts only if an interval that
    is simultaneous over all controls without a gap (Bonferroni) excludes 0, and the control's own one does not lie
    within the margin. A score above chance counts only by an interval that is simultaneous over all these scores. A gap
    that is not found is no failure where its size is not known, or where an interval that is simultaneous over all of
    known size still holds it: the images are too few. Below three folds, where the variance of training is not known,
    these intervals have twice the variance of sampling.
    """
    without = sum(row["expected"] == NO_GAP for row in rows)
    known = sum(_is_known(row) for row in rows)
    scores = sum(np.isfinite(row["score"]) for row in rows)
    return [_failure(row, max(without, 1), max(known, 1), max(scores, 1)) for row in rows]


def _is_known(row: dict) -> bool:
    """Whether it is a gap whose size is known by construction."""
    return row["expected"] == GAP and bool(np.isfinite(row["expected_effect"]))


def _failure(row: dict, without: int, known: int, scores: int) -> str | None:
    if _interval_of(row, "score", scores)[0] > row["chance"]:  # never of NaN
        return f"{row['where']} scores above chance, as it would if images were repeated across folds"
    if _is_known(row) and row["verdict"] != FOUND:
        if row["expected_effect"] <= row["margin"]:
            return f"the images themselves are scored at chance, so {row['where']} has no gap to find"
        if (
            not _interval_of(row, "effect", known)[1] >= row["expected_effect"]
        ):  # also of NaN: nothing varies, and there is none
            return f"the gap of {row['where']} exists and was not found ({row['verdict']})"
    low, high = _interval_of(row, "effect", without)
    if row["expected"] == NO_GAP and not _within_margin(row) and (low > 0 or high < 0):
        seen = "a gap" if low > 0 else "the opposite of a gap"
        return f"{row['where']} shows {seen} where there is none"
    return None


def _interval_of(row: dict, name: str, together: int) -> tuple[float, float]:
    """The interval of the effect or the score at the level of one of so many together; NaN where there is none."""
    of = "score_" if name == "score" else ""
    ends = row[f"{of}ci_low"], row[f"{of}ci_high"]
    low, high = Effect("", row[name], *ends, np.nan, 0, row[f"{of}df"]).interval(together)
    wider = UNKNOWN_TRAINING**0.5 if row["method"] == SAMPLING else 1.0
    return row[name] - wider * (row[name] - low), row[name] + wider * (high - row[name])


def _within_margin(row: dict) -> bool:
    return -row["margin"] <= row["ci_low"] and row["ci_high"] <= row["margin"]


def _kind(row: dict, wrong: str | None) -> str:
    if wrong:
        return WRONG
    as_it_must = row["verdict"] == FOUND if row["expected"] == GAP else _within_margin(row)
    return RIGHT if as_it_must else OPEN


def _lead(rows: list[dict]) -> str:
    """Of controls none of which fails."""
    with_gap, without = ([row for row in rows if row["expected"] == expected] for expected in (GAP, NO_GAP))
    missed, undecided = ([row for row in some if row["kind"] == OPEN] for some in (with_gap, without))
    parts = ["a known gap is found"] if len(missed) < len(with_gap) else []
    for size, some in (("known", filter(_is_known, missed)), ("unknown", filterfalse(_is_known, missed))):
        if count := len([*some]):
            number = f"{count} of {counted(len(with_gap), 'control')} with a gap"
            parts.append(f"whether this study finds a gap of {size} size cannot be told from so few images ({number})")
    reasons = (
        ("from so few images", [*filterfalse(_has_no_margin, undecided)]),
        ("because its own gap, of which the margin is half, is about 0", [*filter(_has_no_margin, undecided)]),
    )
    for reason, some in reasons:
        if some:
            number = f"{len(some)} of {counted(len(without), 'control')} without a gap"
            parts.append(f"whether this study sees a gap where there is none cannot be told {reason} ({number})")
    if without and not undecided:
        absent = "absent, " if all(row["verdict"] == ABSENT for row in without) else ""
        widest = max(row["margin"] for row in without)  # a recipe has its own
        parts.append(f"where there is none it is {absent}within ±{_points(widest)}")
    text = "; ".join(parts)
    return f"Controls: {text}."


def _line(row: dict) -> Line:
    measured = _measured(row)
    if row["recipe"] == TABLE1:
        text = f"{row['where']}, by the recipes of Table 1: {measured}. {_of_the_protocol(row)}."
        return Line("protocol", "", text)
    verdict, kind = row["verdict"], row["kind"]
    if row["expected"] == GAP:
        known = row["expected_effect"]
        truth = f"a gap of {_points(known)} by construction" if np.isfinite(known) else "a gap by construction"
        text = f"{row['where']}, {truth}: {measured}."
        if np.isfinite(row["score"]):
            score = f"{row['score']:.3f}{_interval(row, 'score_ci_low', 'score_ci_high', '{:.3f}'.format)}"
            text += f" Its latents score {score}; chance is {row['chance']:.3f}."
        return Line(verdict, kind, text)
    margin = f"±{_points(row['margin'])}"
    note = f"; absent means within {margin}"
    if _has_no_margin(row):
        note = "; absent means within half of the gap of the study's autoencoders, which is about 0 itself"
    if verdict == FOUND:
        alone = ", and not by an interval over all controls without a gap"
        note = {RIGHT: f"; found, and within {margin}", OPEN: f"; found by its own interval{alone}"}.get(kind, "")
    return Line(verdict, kind, f"{row['where']}, no gap by construction: {measured}{note}.")


def _has_no_margin(row: dict) -> bool:
    """Whether the gap that the study measures is so small that half of it prints as zero."""
    return points(row["margin"]) == points(0)


def _of_the_protocol(row: dict) -> str:
    """What a control without a loss says of the recipes of Table 1."""
    if row["ci_low"] > 0:
        return "The protocol alone causes this gap"
    if row["ci_high"] < 0:
        return "The protocol alone causes this advantage of latents"
    return "No gap is shown that the protocol alone causes"


def _measured(row: dict) -> str:
    low_and_high = _interval(row, "ci_low", "ci_high", points)
    note = f" ({SAMPLING})" if row["method"] == SAMPLING else ""
    return f"{_points(row['effect'])}{low_and_high}{note}"


def _interval(row: dict, low: str, high: str, words: Callable[[float], str]) -> str:
    ends = row[low], row[high]
    return f" [{words(ends[0])}, {words(ends[1])}]" if np.isfinite(ends).all() else ""


def _points(value: float) -> str:
    return f"{points(value)} points"


def as_rst(said: Said) -> str:
    """The same in reStructuredText, which Snakemake's report begins with."""

    def escaped(text: str) -> str:
        return re.sub(r"([\\*`_|])", r"\\\1", text)

    lines = [f"- **{line.verdict}**: {escaped(line.text)}\n" for line in said.lines]
    return f"**{escaped(said.lead)}**\n\n{''.join(lines)}"
