"""A claim of the paper: what it says, where, and how this study's findings judge it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..significance.group_level import FEWEST_FOLDS
from ..study.words import counted
from ..tables.layout import whole_points
from .findings import PAPER_AUTOENCODERS, PAPER_DATASETS, Findings
from .verdicts import Verdict, untestable

HERE = "section 3: "


@dataclass(frozen=True)
class Claim:
    """`published` words the published value; `datasets` and `autoencoders` are those of the paper that it is about.

    Without `where` the study must have all of these, and they alone are judged. A claim with `where` holds in general
    ("in every pair"): it is judged on the datasets and autoencoders that `where` finds in the study. `over_folds` says
    whether it is about scores over folds.
    """

    key: str
    part: str
    statement: str
    place: str
    published: Callable[[Findings], str]
    judge: Callable[[Findings], Verdict]
    datasets: tuple[str, ...] = PAPER_DATASETS
    autoencoders: tuple[str, ...] = PAPER_AUTOENCODERS
    where: Callable[[Findings], tuple[Sequence[str], Sequence[str]]] | None = None
    over_folds: bool = True

    def on(self, findings: Findings) -> tuple[Sequence[str], Sequence[str]]:
        """The datasets and the autoencoders that the verdict rests on."""
        return self.where(findings) if self.where else (self.datasets, self.autoencoders)


def of_table(name: str) -> Callable[[Findings], tuple[list[str], list[str]]]:
    """A `where`: all that a table or test of the study is on."""
    return lambda findings: findings.of(name)


def theirs_alone(names: Sequence[str], autoencoders: Sequence[str]) -> list[str]:
    """Only the paper's autoencoders among these names, if all are there; else all, the study's own."""
    return list(autoencoders if {*autoencoders} <= {*names} else names)


def judged(claim: Claim, findings: Findings) -> Verdict:
    """The verdict; missing data sets or autoencoders, phantoms and too few folds cannot test a claim."""
    datasets, autoencoders = claim.on(findings)
    if missing := [] if claim.where else lacking(datasets, autoencoders, findings):
        return untestable(f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not in this study")
    found = claim.judge(findings.only(autoencoders))
    if found.cell and any(map(findings.synthetic, datasets)):
        return untestable("phantom data: synthetic images, not patients", found)
    folds = findings.folds()
    if claim.over_folds and folds < FEWEST_FOLDS and found.cell:
        shown = counted(folds, "fold")
        return untestable(f"{shown}; at least {FEWEST_FOLDS} are needed for an interval that says something", found)
    return found


def lacking(datasets: Sequence[str], autoencoders: Sequence[str], findings: Findings) -> list[str]:
    """The labels of those that are not in the study."""
    found = [findings.dataset(name) for name in datasets if name not in findings.cards]
    return found + [findings.autoencoder(name) for name in autoencoders if name not in findings.families()]


def percent(low: float, high: float) -> str:
    """Points of balanced accuracy, or their range."""
    if low == high:
        return f"{whole_points(low)} points"
    return f"{whole_points(low)} to {whole_points(high)} points"
