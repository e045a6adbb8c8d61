"""What the paper suspects behind the gap: three properties of latents, told by taking them away, else described."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from ..significance.diagnostics_vs_gap import FEWEST_PAIRS, SUSPECTS, suspects_of
from ..significance.groups import OF_THESE
from ..significance.level import ALPHA
from ..significance.remedies import GAIN, GAP
from ..significance.rows import CELL_TEST
from ..study.truths import EQUIVARIANCE, LOW_PASS, REMEDIES, VIEWS, WHITEN
from ..study.words import counted
from ..tables.layout import number
from .claim import HERE, Claim
from .findings import Effect, Findings, effect_of
from .verdicts import SUPPORTED, UNTESTABLE, Verdict, all_positive, in_words, untestable

PART = "Why the gap exists"
WHY = f"{HERE}Why does the gap exist?"
HYPOTHESIS = "a hypothesis, not tested"
NO_CAUSE = "a correlation over autoencoders shows no cause; what would tell is the gap before and after {}"

AGAINST = {
    f"{GAIN}_vs_control": "the lossless control",
    f"{GAIN}_vs_finetuning": "fine-tuning alone",
    f"{GAIN}_vs_rotate": "the rotation",
}
TEST = "paired t over groups, every difference at the level, Holm over remedies"
Trial = tuple[str, str]  # remedy, recipe


def told(suspect: int, change: str, kinds: Sequence[str], findings: Findings) -> Verdict:
    """Whether remedies of these kinds, which take the property away, close more of the gap than what does not.

    Supported: of one of them the gain, and the gain less that of each of AGAINST, are above zero, with Holm's
    correction over the remedies. Not supported: of every one of them some difference is none, or its opposite is found.
    All are means over families and datasets. A study that has no such remedy describes the property.
    """
    trials = trials_of(kinds, findings)
    if not trials:
        return suspected(suspect, change, findings)
    found = [tried(trial, cells, findings) for trial, cells in over_trials(trials).items()]
    for wanted in (SUPPORTED, UNTESTABLE):
        if verdicts := [verdict for verdict in found if verdict.verdict == wanted]:
            return verdicts[0]
    return replace(found[0], reason="; ".join(verdict.reason for verdict in found))


def trials_of(kinds: Sequence[str], findings: Findings) -> dict[Trial, dict[str, Effect]]:
    """The gains of these remedies over families and datasets, by what is taken from them."""
    found: dict[Trial, dict[str, Effect]] = {}
    for row in findings.rows(REMEDIES, test=OF_THESE, remedy=[*kinds], comparison=[GAIN, *AGAINST]).to_dict("records"):
        trial, less = (row["remedy"], row["recipe"]), AGAINST.get(row["comparison"])
        name = f"gain of {named(trial)}{f' less that of {less}' if less else ''}"
        found.setdefault(trial, {})[row["comparison"]] = effect_of(row, name)
    return found


def over_trials(trials: dict[Trial, dict[str, Effect]]) -> dict[Trial, dict[str, Effect]]:
    """The same with Holm's correction over the trials, the p of each of which is its largest; smallest first."""
    largest = {trial: np.max([cell.p for cell in cells.values()]) for trial, cells in trials.items()}
    found, least = {}, 0.0
    for place, trial in enumerate(sorted(trials, key=lambda trial: np.nan_to_num(largest[trial], nan=2))):
        corrected = {
            key: replace(cell, p=float(np.maximum(least, np.minimum(1, (len(trials) - place) * cell.p))))
            for key, cell in trials[trial].items()
        }
        found[trial], least = corrected, np.max([cell.p for cell in corrected.values()])
    return found


def tried(trial: Trial, cells: dict[str, Effect], findings: Findings) -> Verdict:
    """The verdict of one remedy; what is not there to be compared with, or not in every cell, leaves it open."""
    control = "finetuning" if trial[0] == EQUIVARIANCE else "control"
    if missing := [AGAINST[key] for key in (f"{GAIN}_vs_{control}", f"{GAIN}_vs_rotate") if key not in cells]:
        return untestable(f"{named(trial)} cannot be compared with {' and '.join(missing)}: not in this study")
    found = all_positive([*cells.values()], findings.margin, "points", findings.margin, TEST)
    if partial_means := [AGAINST[key] for key in cells if _many(trial, key, findings) < _many(trial, GAIN, findings)]:
        some = " and ".join(partial_means)
        return untestable(f"{named(trial)} is compared with {some} in a part of its cells: means over others", found)
    left = findings.rows(REMEDIES, test=OF_THESE, remedy=trial[0], recipe=trial[1], comparison=GAP)
    gap = effect_of(left.iloc[0].to_dict(), "")
    if found.verdict == SUPPORTED and gap.p < ALPHA and gap.effect > 0:
        return replace(found, reason=f"{found.reason}; a gap of {in_words(gap, 'points')} stays")
    return found


def _many(trial: Trial, comparison: str, findings: Findings) -> int:
    """Over how many families and datasets a mean of this remedy is."""
    remedy, recipe = trial
    family = {"test": CELL_TEST, "role": "family", "comparison": comparison}
    return len(findings.rows(REMEDIES, remedy=remedy, recipe=recipe, **family))


def named(trial: Trial) -> str:
    """What is tried, in words: the recipe, but of a fine-tuned autoencoder what it is tuned for."""
    remedy, recipe = trial
    return "equivariant fine-tuning" if remedy == EQUIVARIANCE else recipe.replace("_", " ")


def suspected(suspect: int, change: str, findings: Findings) -> Verdict:
    """No verdict: Spearman's correlation with the gap over the families is a description. `change` would tell."""
    tests = findings.frames.get("diagnostics_vs_gap")
    rows = None if tests is None else suspects_of(tests, SUSPECTS[suspect])
    if rows is None or rows.empty:
        return untestable("this study does not describe its latents, or measures no gap")
    row = rows.iloc[0]
    if np.isnan(row["effect"]):
        return untestable(f"no correlation: that needs {FEWEST_PAIRS} autoencoders that have the number and differ")
    rho = number(row["effect"], decimals=2).replace("-", "−")
    measured = f"ρ = {rho} with the gap, over {counted(int(row['n']), 'autoencoder')}; this describes them"
    return Verdict(UNTESTABLE, NO_CAUSE.format(change), measured)


def diagnosed(findings: Findings) -> tuple[list[str], list[str]]:
    """The datasets and the families of Table 5, where there are correlations with the gap."""
    if "diagnostics_vs_gap" not in findings.frames:
        return [], []
    rows = findings.rows("table5", role="family")
    rows = rows[rows["dataset"].isin(findings.datasets())]
    return [*dict.fromkeys(rows["dataset"])], [*dict.fromkeys(rows["autoencoder"])]


def where(kinds: Sequence[str], findings: Findings) -> tuple[list[str], list[str]]:
    """The datasets and families of these remedies, or else those that are described."""
    rows = findings.rows(REMEDIES, test=CELL_TEST, remedy=[*kinds], role="family")
    return ([*dict.fromkeys(rows["dataset"])], [*dict.fromkeys(rows["base"])]) if len(rows) else diagnosed(findings)


def _claim(key: str, statement: str, place: str, suspect: int, change: str, kinds: Sequence[str]) -> Claim:
    judge = partial(told, suspect, change, kinds)
    return Claim(key, PART, statement, place, lambda findings: HYPOTHESIS, judge, where=partial(where, kinds))


CLAIMS = [
    _claim("high_frequencies", "Latents distribute class information across high-frequency spatial patterns, which "
           "convolutional classifiers struggle to exploit.", WHY, 0, "high frequencies are taken out of the latents",
           (LOW_PASS,)),
    _claim("channel_correlations", "Latents distribute class information across correlations between channels, which "
           "convolutional classifiers struggle to exploit.", WHY, 1, "the channels are decorrelated", (WHITEN,)),
    _claim("equivariance", "Latent spaces lack geometric equivariance, and this shapes what can be learned from them.",
           "section 1", 2, "the autoencoder is fine-tuned to be equivariant", (VIEWS, EQUIVARIANCE)),
]  # fmt: skip
