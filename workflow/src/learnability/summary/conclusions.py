"""What may be concluded from a study and what not: sentences that its own numbers decide."""

from collections.abc import Sequence

import numpy as np

from ..paper.findings import PAPER_DATASETS, Effect, Findings, decomposed_effect
from ..paper.gap_claims import gaps, over_study
from ..paper.verdicts import in_words, within_margin_p
from ..significance.group_level import FEWEST_FOLDS
from ..significance.groups import OF_THESE
from ..significance.level import ALPHA, CONFIDENCE, P_BELOW
from ..significance.visible import POWER, seen_by
from ..study.truths import GAP
from ..study.words import counted
from ..tables.labels import recipe_in_words
from ..tables.layout import listed, points, whole_points
from .diagnostics import diagnostics_in_words
from .searched import at_the_ends

SIDES = {"latent", "reconstruction"}  # of the gap
GAPS_IN_WORDS = {
    "gap_paper": "with the paper's recipes",
    "gap_matched": "with one recipe in every space",
    "gap_control": "of the lossless control",
    "gap_encoding": "of the encoding itself",
}


def described(findings: Findings, study: dict, runs: int) -> str:
    """One paragraph: what was measured."""
    names = findings.datasets()
    datasets = ", ".join(map(findings.dataset, names))
    table1 = findings.frames["table1"]
    roles = table1.drop_duplicates("autoencoder").set_index("autoencoder")["role"]
    families, controls = (
        [findings.autoencoder(name) for name in roles.index[roles == role]] for role in ("family", "control")
    )
    encoders = [f"{counted(len(families), 'autoencoder')} ({', '.join(families)})"] if families else []
    encoders += [f"the control{'s' if len(controls) > 1 else ''} {', '.join(controls)}"] if controls else []
    spaces = set(table1["space"])
    encoded = " and the ".join(space for space in ("latent", "reconstruction") if space in spaces)
    where = ["in image space"] if "image" in spaces else []
    where += [f"in the {encoded} space of {', and '.join(encoders)}"] if encoded else []
    folds = f"{len(study['folds'])} of {study['n_splits']} folds"
    images = sum(findings.cards[name]["images"] for name in names)
    gap = "The gap is not measured, because that needs latent and reconstruction space."
    if spaces >= SIDES:
        gap = (
            "The learnability gap is balanced accuracy on reconstructions minus that on the latent codes which they "
            "were decoded from."
        )
    of_folds = "means over folds" if len(study["folds"]) > 1 else "of that fold"
    trained = "and of training" if len(study["folds"]) >= FEWEST_FOLDS else "alone"
    scores = (
        f"Scores are {of_folds}; {CONFIDENCE} intervals of the gap come from a paired t over groups of images, whose "
        f"variance is that of sampling {trained}."
    )
    return (
        f"{counted(runs, 'classifier')} on {counted(images, 'image')} of {counted(len(names), 'data set')} "
        f"({datasets}): "
        f"{', and '.join(where)}; {folds} {'were' if len(study['folds']) > 1 else 'was'} run. {gap} {scores}"
    )


def conclusions(findings: Findings, differing: list[str], searches: Sequence[dict] = ()) -> dict[str, list[str]]:
    """Sentences under `may` and `may not` be concluded.

    `differing` is what classifiers differ in beside the space, `searches` are what searches found (best.json).
    """
    may, may_not = [], []
    phantoms = [findings.dataset(name) for name in findings.datasets() if findings.synthetic(name)]
    cells = gaps(findings)
    if phantoms:
        may_not.append(
            f"{', '.join(phantoms)}: synthetic images, not patients. Numbers on them show that the measurement works, "
            "and say nothing of medicine, of published autoencoders, or of the paper's claims."
        )
    if cells:
        _of_the_gap(findings, cells, may, may_not)
    _of_equivalence(findings, may, may_not)
    _of_confounds(findings, differing, may, may_not)
    controls = findings.rows("controls", expected=GAP)
    may_not += at_the_ends(searches, unreadable=set(controls.get("control", ())))
    if said := diagnostics_in_words(findings.frames.get("diagnostics_vs_gap")):
        (may if said[0] else may_not).append(said[1])
    missing = [findings.dataset(name) for name in PAPER_DATASETS if name not in findings.cards]
    if missing:
        may_not.append(f"Data sets of the paper that this study does not cover: {', '.join(missing)}.")
    return {"may": may, "may_not": may_not + _of_data(findings)}


def _of_the_gap(findings: Findings, cells: list, may: list[str], may_not: list[str]) -> None:
    folds = findings.folds()
    if folds < FEWEST_FOLDS:
        may_not.append(
            f"{counted(folds, 'fold')}: the variance of training is not known, so intervals cover only sampling "
            f"and are too narrow, and no gap is tested; run at least {FEWEST_FOLDS}."
        )
        return
    may.append(_of_significance(cells))
    if sure := [cell for cell in cells if cell.error > 0]:
        alone, corrected = (
            np.median([seen_by(cell.error, cell.freedom, tests) for cell in sure]) for tests in (1, len(cells))
        )
        several = f"and {points(corrected)} points with the correction over {counted(len(cells), 'pair')}"
        tests = f" by that test alone, {several}" if len(cells) > 1 else ""
        may_not.append(
            f"A gap in one pair would not have been seen below about {points(alone)} points{tests}: gaps of this size "
            f"are found in {POWER:.0%} of studies as large as this. No significance does not mean no gap."
        )


def _of_significance(cells: Sequence[Effect]) -> str:
    (above, below), test = significant(cells), "paired t over groups of images"
    if len(cells) > 1:
        opposite = f", in {below} significantly better" if below else ""
        where = f"In {above or 'none'} of {len(cells)} pairs of autoencoder and data set"
        return f"{where} latents are significantly worse than reconstructions{opposite} ({P_BELOW}, {test}, Holm)."
    where = f"For {cells[0].name} latents are"
    if above or below:
        return f"{where} significantly {'worse' if above else 'better'} than reconstructions ({P_BELOW}, {test})."
    return f"{where} not significantly different from reconstructions ({test})."


def significant(gaps: Sequence[Effect]) -> tuple[int, int]:
    """How many gaps are significantly above 0, and how many below."""
    found = [gap.effect for gap in gaps if gap.p_corrected < ALPHA]
    return sum(effect > 0 for effect in found), sum(effect < 0 for effect in found)


def _of_equivalence(findings: Findings, may: list[str], may_not: list[str]) -> None:
    cell = over_study(findings, OF_THESE, "reconstruction_vs_image")
    if cell is None or findings.folds() < FEWEST_FOLDS:
        return
    margin = f"{whole_points(findings.margin)} points"
    text = f"reconstructions less images {in_words(cell, 'points')} over {counted(cell.n, 'data set')}"
    if within_margin_p(cell, findings.margin) < ALPHA:
        may.append(f"Reconstructions are as good as images: {text}, equal within {margin}.")
    else:
        may_not.append(f"It is not shown that autoencoders lose nothing: {text}, not shown to be within {margin}.")


def _of_confounds(findings: Findings, differing: list[str], may: list[str], may_not: list[str]) -> None:
    rows = findings.decomposed()
    if differing and set(findings.frames["table1"]["space"]) >= SIDES:
        may_not.append(
            f"Classifiers of reconstructions and of latents differ in {listed(differing)}, so the gap of Table 1 "
            "is not that of the encoding alone."
        )
        if rows.empty:
            may_not[-1] += " The gap without these differences was not measured in this study."
    for row in rows.to_dict("records"):
        gap_words = [
            f"{words} {in_words(decomposed_effect(row, gap), 'points')}"
            for gap, words in GAPS_IN_WORDS.items()
            if not np.isnan(row[gap])
        ]
        named = f", {recipe_in_words(row['recipe'])}" if rows["recipe"].nunique() > 1 else ""
        may.append(f"Gap, {findings.pair(row['autoencoder'], row['dataset'])}{named}: {'; '.join(gap_words)}.")


def _of_data(findings: Findings) -> list[str]:
    """What the cards of the datasets say against them."""
    found = []
    for name in findings.datasets():
        card, label = findings.cards[name], findings.dataset(name)
        if not card["grouped"]:
            found.append(f"{label}: no groups are known, so images of one patient may be in training and test.")
        if card.get("subset"):
            found.append(f"{label}: a part of the data ({counted(card['images'], 'image')}).")
        duplicates = card.get("duplicates") or {}
        if duplicates.get("across_groups") and not duplicates["groups_merged"]:
            found.append(f"{label}: {_have(duplicates['across_groups'])} an identical copy in another group.")
        if conflicts := duplicates.get("with_conflicting_labels"):
            found.append(f"{label}: {_have(conflicts)} an identical copy with another label.")
        largest = card.get("largest_group") or {"most_folds": findings.n_splits}
        if largest["most_folds"] < findings.n_splits:
            found.append(f"{label}: one group has {largest['share']:.0%} of the images, so folds are not balanced.")
        if alike := (card.get("names") or {}).get("look_alikes", {}).get("group"):
            found.append(
                f"{label}: in {counted(alike, 'set')} of groups the names are so alike that they may be of one patient."
            )
        if differences := (card.get("published") or {}).get("differences"):
            differ = "count differs" if len(differences) == 1 else "counts differ"
            found.append(f"{label}: {len(differences)} {differ} from the published ones.")
    return found


def _have(number: int) -> str:
    return f"{counted(number, 'image')} {'has' if number == 1 else 'have'}"
