"""A claim of the paper: what it says, where, and how this study's findings judge it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .findings import Findings
from .verdicts import FEWEST_FOLDS, Verdict, untestable

HERE = "section 3: "


@dataclass(frozen=True)
class Claim:
    """`published` words the published value; `datasets` and `autoencoders` are those that the claim names.

    Without datasets the claim is about all of the study's, or those that `where` gives. `over_folds` says whether it
    is about scores over folds.
    """

    key: str
    part: str
    statement: str
    place: str
    published: Callable[[Findings], str]
    judge: Callable[[Findings], Verdict]
    datasets: tuple[str, ...] = ()
    where: Callable[[Findings], Sequence[str]] = Findings.datasets
    over_folds: bool = True

    def on(self, findings: Findings) -> list[str]:
        """The datasets of this study that the verdict rests on."""
        return list(self.datasets or self.where(findings))


def judged(claim: Claim, findings: Findings) -> Verdict:
    """The verdict; a claim about data that are not in the study, are phantoms, or too few folds, cannot be tested."""
    names = claim.on(findings)
    if missing := [name for name in names if name not in findings.cards]:
        labels = ", ".join(findings.dataset(name) for name in missing)
        return untestable(f"{labels} {'is' if len(missing) == 1 else 'are'} not in this study")
    found = claim.judge(findings)
    if any(map(findings.synthetic, names)):
        return untestable("phantom data: synthetic images, not patients", found)
    folds = findings.folds()
    if claim.over_folds and folds < FEWEST_FOLDS and found.cell:
        shown = "1 fold" if folds == 1 else f"{folds} folds"
        return untestable(f"{shown}; at least {FEWEST_FOLDS} are needed for an interval that says something", found)
    return found


def percent(low: float, high: float) -> str:
    """Points of balanced accuracy, or their range."""
    if low == high:
        return f"{100 * low:.3g} points"
    return f"{100 * low:.3g} to {100 * high:.3g} points"
