"""The answer of a study in a few sentences: its gap, how much of it the lossless control has, what is suspicious."""

from collections.abc import Sequence

import numpy as np

from ..paper.findings import Effect, Findings, decomposed_effect
from ..paper.gap_claims import gaps, over_study
from ..paper.verdicts import in_words
from ..significance.group_level import FEWEST_FOLDS
from ..significance.groups import OF_THESE
from ..significance.level import CONFIDENCE, P_BELOW
from ..significance.rows import of_first_recipe
from ..study.truths import NO_GAP, TABLE1
from ..study.words import counted
from ..tables.caveats import SPACES, Spoiled
from ..tables.labels import recipe_in_words
from ..tables.layout import listed, points
from .conclusions import significant
from .controls import WRONG, Said
from .spoiled import WORDS


def answer(findings: Findings, controls: Said, found: Sequence[Spoiled]) -> list[str]:
    """The sentences; the first gives the gap with its interval, and in how many pairs it is significant."""
    cells = gaps(findings)
    if not cells:
        return ["This study measures no gap: that needs the latent and the reconstruction space of an autoencoder."]
    return [_first(findings, cells), _of_the_control(findings), _suspicious(findings, controls, found)]


def _first(findings: Findings, cells: list[Effect]) -> str:
    pairs, folds = counted(len(cells), "pair"), findings.folds()
    mean = over_study(findings, OF_THESE, "reconstruction_vs_latent") if len(cells) > 1 else cells[0]
    gap = f"{in_words(mean, 'points')} " if mean else f"{points(np.mean([cell.effect for cell in cells]))} points "
    where = f"on average over {pairs} of autoencoder and data set" if len(cells) > 1 else f"for {cells[0].name}"
    alone = "" if folds >= FEWEST_FOLDS else ", only of sampling"
    interval = f" ({CONFIDENCE} interval in brackets{alone})" if mean and np.isfinite(mean.low) else ""
    if folds < FEWEST_FOLDS:
        tested = f"from {counted(folds, 'fold')} no gap is tested"
    elif len(cells) > 1:
        above, below = significant(cells)
        opposite = f", and below 0 in {below}" if below else ""
        tested = f"it is significantly above 0 in {above or 'none'} of {pairs}{opposite} ({P_BELOW}, Holm)"
    else:
        sides = {(1, 0): f"significantly above 0 ({P_BELOW})", (0, 1): f"significantly below 0 ({P_BELOW})"}
        tested = f"it is {sides.get(significant(cells), 'not significantly different from 0')}"
    return f"The learnability gap is {gap}{where}{interval}; {tested}."


def _of_the_control(findings: Findings) -> str:
    """How much of the gap a lossless control has too: with one recipe in every space, else by those of Table 1."""
    rows = findings.decomposed()
    recipes = rows["recipe"].nunique() if len(rows) else 0
    rows = of_first_recipe(rows[rows["gap_control"].notna()]) if len(rows) else rows
    if len(rows):
        kinds = ("gap_matched", "gap_control", "gap_encoding")
        matched, control, encoding = (_one_or_range(rows, kind) for kind in kinds)
        first = rows.iloc[0]
        if len(rows) == 1:
            where = f"for {findings.pair(first['autoencoder'], first['dataset'])}"
        else:
            where = f"over {counted(len(rows), 'pair')}"
        named = f" ({recipe_in_words(first['recipe'])})" if recipes > 1 else ""
        return (
            f"With one recipe in every space{named} the gap is {matched} {where}; that of the lossless control is "
            f"{control}, and the difference, which is the encoding's own, {encoding}."
        )
    frame = findings.frames.get("controls")
    shown = [] if frame is None else frame[(frame["recipe"] == TABLE1) & frame["effect"].notna()].to_dict("records")
    if shown:
        effects = (Effect("", row["effect"], row["ci_low"], row["ci_high"], np.nan, 0) for row in shown)
        names = (findings.dataset(row["dataset"]) for row in shown)
        said = [f"{in_words(effect, 'points')} on {name}" for effect, name in zip(effects, names, strict=True)]
        return f"With the recipes of Table 1 a lossless control has a gap of {', '.join(said)}."
    if frame is not None and (frame["expected"] == NO_GAP).any():
        return "The study did not measure how much of it the protocol causes with the recipes of Table 1."
    return "The study did not measure how much of it a lossless control has too."


def _one_or_range(rows, kind: str) -> str:
    """'8.0 points [6.0, 10.0]', or of several rows 'from 2.0 to 8.0 points' and '8.0 points' where all are equal."""
    values = rows[kind].astype(float)
    if len(rows) > 1:
        ends = dict.fromkeys(points(end) for end in (values.min(), values.max()))
        return f"{'from ' if len(ends) > 1 else ''}{' to '.join(ends)} points"
    return in_words(decomposed_effect(rows.iloc[0].to_dict(), kind), "points")


def _suspicious(findings: Findings, controls: Said, found: Sequence[Spoiled]) -> str:
    lead = controls.lead.split(". ")[0].rstrip(".")
    said = [lead[:1].lower() + lead[1:]] if controls.kind == WRONG else []
    counts: dict[str, int] = {}
    for each in found:
        words = WORDS.get((each.kind, each.space), each.kind)
        name = words if words.startswith(tuple(SPACES.values())) else f"{each.space} {words}"
        counts[name] = counts.get(name, 0) + 1
    said += [f"{name} in {counted(number, 'cell')}" for name, number in counts.items()]
    if not controls.lines:
        said.append("no controls were run" if "no controls" in controls.lead else "the controls are not judged")
    phantoms = [findings.dataset(name) for name in findings.datasets() if findings.synthetic(name)]
    said += [f"{listed(phantoms)}: synthetic images, not patients"] if phantoms else []
    return f"Look at this first: {'; '.join(said)}." if said else "Nothing was found that makes these numbers mislead."
