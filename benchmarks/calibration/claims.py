"""Simulated studies of the paper's datasets and autoencoders, as the judge of claims reads them.

Differences of images are normal here, so that a single number describes the noise of a study: the standard deviation of
a gap over folds. Shares of its square come from the tested groups and images (`SAMPLED`), from the training groups,
which folds share (`BY_GROUPS`), and from the seed (`BY_SEED`). An autoencoder shares a part of each with the others of
a dataset.
"""

import functools
import io
from collections.abc import Mapping

import numpy as np

from learnability.paper.findings import PAPER_AUTOENCODERS, Effect, Findings, effect_of, read_numbers, read_published
from learnability.significance.group_level import PairedRows
from learnability.significance.groups import CELL_TEST, Compared, group_level, study_level
from learnability.storage.contracts import split_rows
from learnability.study.configuration import ROOT, read_config
from learnability.study.presentation import all_labels
from learnability.tables.labels import Labels

from .designs import N_SPLITS, Design, Shape, designs

SHAPE = Shape(300, (0.6, 0.4), 2, mixed=False)  # of every dataset; its size does not matter, because its noise is set
MARGIN = 0.02
SAMPLED, BY_GROUPS, BY_SEED = 0.85, 0.08, 0.07  # of the variance of a gap over folds
OF_GROUP = 0.4  # of the sampling variance of an image
SHARED = 0.38  # of every part; the autoencoders of a dataset have it in common
OVERLAP = 0.5  # of the training groups of two folds


class Told(Findings):
    """Findings that read the cells of the gap only once: a study has twenty, and ten claims ask for them."""

    def tested(self, name: str, test: str, comparison: str, **where: str) -> list[Effect]:
        cells = self.frames["cells"]
        return [effect for dataset, effect in cells if where.get("dataset", dataset) == dataset]


def findings_of(
    gaps: Mapping[str, np.ndarray], noise: float, folds: int, random: np.random.Generator, loss: float = 0.0
) -> Findings:
    """The findings of a study with these true gaps, for each dataset one per autoencoder.

    `noise` is the standard deviation of a gap over folds; `loss` is by how much images beat reconstructions.
    """
    made = dict(zip(gaps, designs((SHAPE,) * len(gaps), 0, folds), strict=True))
    latent, image = [], []
    for name, design in made.items():
        latent += _compared("latent", name, rows_of(gaps[name], noise, design, random))
        image += _compared("image", name, rows_of(np.array([-loss]), noise, design, random))
    frames = {"group_level": group_level(latent, made), "study_level": study_level([*latent, *image], made)}
    frames = {name: read_numbers(io.StringIO(frame.to_csv(index=False))) for name, frame in frames.items()}
    rows = frames["group_level"][frames["group_level"]["test"] == CELL_TEST].to_dict("records")
    frames["cells"] = [(row["dataset"], effect_of(row, row["autoencoder"])) for row in rows]
    cards = {name: {"dataset": name, "synthetic": False} for name in gaps}
    return Told(frames, cards, _labels(), MARGIN, N_SPLITS, _published())


def _compared(space: str, dataset: str, rows: list[PairedRows]) -> list[Compared]:
    labels = [{"dataset": dataset, "autoencoder": name, "role": "family"} for name in PAPER_AUTOENCODERS[: len(rows)]]
    return [Compared(f"reconstruction_vs_{space}", *pair) for pair in zip(labels, rows, strict=True)]


_published = functools.cache(read_published)


@functools.cache
def _labels() -> Labels:
    return Labels(**all_labels(read_config(ROOT / "config.yaml")))


def rows_of(gaps: np.ndarray, noise: float, design: Design, random: np.random.Generator) -> list[PairedRows]:
    """The differences of a dataset's images for each autoencoder."""
    tested = design.weight > 0
    folds = np.unique(design.fold[tested])
    groups = int(design.group.max()) + 1

    def shared(size: int) -> np.ndarray:
        """Standard normal numbers (A, size), with a part that is the same for all autoencoders."""
        own = random.standard_normal((len(gaps), size))
        return np.sqrt(SHARED) * random.standard_normal(size) + np.sqrt(1 - SHARED) * own

    images = np.sqrt(OF_GROUP) * shared(groups)[:, design.group] + np.sqrt(1 - OF_GROUP) * shared(len(design.group))
    sampled = np.sqrt(SAMPLED / _variance_of_fold(design)) * images
    # A part of the data affects every training on it, so the trainings of two folds are correlated by their overlap.
    parts = [np.unique(design.fold[split_rows(design.fold, k, N_SPLITS)["train"]]) for k in folds]
    effects = shared(N_SPLITS)
    of_groups = np.stack([effects[:, part].sum(1) / np.sqrt(len(part)) for part in parts], 1)
    of_fold = np.sqrt(BY_GROUPS / (1 - OVERLAP)) * of_groups + np.sqrt(BY_SEED) * shared(len(folds))
    at = np.searchsorted(folds, design.fold[tested])
    difference = gaps[:, None] + noise * (sampled[:, tested] + of_fold[:, at])
    return [PairedRows(own, design.label[tested], design.fold[tested], design.group[tested]) for own in difference]


def _variance_of_fold(design: Design) -> float:
    """The variance of the gap in one fold, if that of an image is 1: the mean over folds."""
    folds = len(np.unique(design.fold[design.weight > 0]))
    weight = design.weight * folds
    of_groups = np.bincount(design.group, weight)
    return float((OF_GROUP * (of_groups**2).sum() + (1 - OF_GROUP) * (weight**2).sum()) / folds)
