"""What tables show beside a score: chance, and reasons why the number misleads."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from ..significance.chance import chance
from ..significance.level import ALPHA
from ..significance.visible import WITHIN_GROUP
from .labels import Labels
from .layout import MISSING, Block, number

LOWEST_PSNR = 20.0  # dB; what lies below is hardly the image any more
CHANCE, PSNR, STOPPED = "at chance", f"below {LOWEST_PSNR:g} dB", "stopped before re-weighting"
SPACES = {"image": "images", "reconstruction": "reconstructions", "latent": "latents"}
SAID = {  # of a space; chance of the dataset and the values follow
    (CHANCE, "image"): "image space is at chance, so it shows no gap",
    (CHANCE, "reconstruction"): "reconstructions are at chance, so they show no gap",
    (CHANCE, "latent"): "latents are at chance, so any gap is all that reconstructions score above it",
    (PSNR, "reconstruction"): f"reconstructions are {PSNR}, so they hardly resemble the images",
} | {(STOPPED, space): f"trainings on {name} {STOPPED} began" for space, name in SPACES.items()}


class Spoiled(NamedTuple):
    """A misleading number of one dataset and autoencoder (`original`: the images)."""

    kind: str
    dataset: str
    autoencoder: str
    space: str
    value: str


def chance_row(words: list[str], datasets: Iterable[str], metrics: Iterable[str], labels: Labels) -> list[Block]:
    """Chance as the first row of a table of scores; no row where the classes of no dataset are known.

    Of a dataset that is none, such as the macro average, it is the mean over those before it.
    """
    metrics, cells, seen = list(metrics), [], []
    for name in datasets:
        classes = [len(labels.counts[name])] if name in labels.counts else seen
        seen = [*seen, *classes]
        for metric in metrics:
            cells.append(number(np.mean([chance(count, metric) for count in classes])) if classes else MISSING)
    return [("Chance", [[*words, *cells]])] if seen else []


def guess_error(counts: Mapping[str, int], groups: int) -> float:
    """Standard error of a guess's balanced accuracy over these images, which come in so many groups."""
    share, design = 1 / len(counts), 1 + (sum(counts.values()) / groups - 1) * WITHIN_GROUP
    variance = share * (1 - share) * sum(design / max(count, 1) for count in counts.values())
    return float(np.sqrt(variance)) / len(counts)


def at_chance(table1: pd.DataFrame, labels: Labels, n_splits: int) -> list[Spoiled]:
    """Cells whose balanced accuracy is not above chance: one-sided, at the level, by the images of the test folds."""
    rows = table1[(table1["metric"] == "balanced_accuracy") & table1["dataset"].isin(labels.counts)]
    quantile, found = stats.norm.isf(ALPHA), []
    for row in rows.to_dict("records"):
        counts = labels.counts[row["dataset"]]
        guess, error = chance(len(counts), row["metric"]), guess_error(counts, labels.groups[row["dataset"]])
        if row["mean"] <= guess + quantile * error / np.sqrt(row["n_folds"] / n_splits):
            value = f"{number(row['mean'])}, chance {number(guess)}"
            found.append(Spoiled(CHANCE, row["dataset"], row["autoencoder"], row["space"], value))
    return found


def below_psnr(table2: pd.DataFrame) -> list[Spoiled]:
    """Reconstructions whose mean PSNR is below LOWEST_PSNR."""
    rows = table2[(table2["metric"] == "psnr") & (table2["mean"] < LOWEST_PSNR)]
    return [
        Spoiled(PSNR, row["dataset"], row["autoencoder"], "reconstruction", f"{row['mean']:.1f} dB")
        for row in rows.to_dict("records")
    ]


def stopped_early(metrics: pd.DataFrame, reweighting: Mapping[str, int]) -> list[Spoiled]:
    """Trainings that stopped before the classes are re-weighted (DRW): by space, the epoch after which they are."""
    found = []
    for key, runs in metrics.groupby(["dataset", "autoencoder", "space"], sort=False):
        early = int((runs["epochs"] <= reweighting.get(key[2], -1)).sum())
        if early:
            found.append(Spoiled(STOPPED, *key, f"{early} of {len(runs)}"))
    return found


def devices_note(metrics: pd.DataFrame, datasets: Mapping[str, str]) -> list[str]:
    """A footnote where the trainings of a table ran on several devices; `datasets` are labels by identifier."""
    counts = metrics["device"].value_counts().to_dict()
    most, *others = sorted(counts, key=lambda name: (-counts[name], name))
    parts = [f"{most} ({counts[most]} of {len(metrics)})"]
    for name in others:
        on = [datasets.get(dataset, dataset) for dataset in metrics.loc[metrics["device"] == name, "dataset"].unique()]
        parts.append(f"{name} ({counts[name]}: {', '.join(on)})")
    said = "Trainings ran on several devices, which differ in the last digits, and a CPU from a GPU in precision"
    return [f"{said}: {', '.join(parts)}."] if others else []


def sentences(found: Iterable[Spoiled], datasets: Mapping[str, str], autoencoders: Mapping[str, str]) -> list[str]:
    """One sentence for each dataset, reason and space, with its autoencoders; labels by identifier."""
    together: dict[tuple[str, str, str], list[str]] = {}
    for each in found:
        name = "images" if each.autoencoder == "original" else autoencoders.get(each.autoencoder, each.autoencoder)
        together.setdefault((each.dataset, each.kind, each.space), []).append(f"{name} ({each.value})")
    return [
        f"{datasets.get(dataset, dataset)}: {SAID[kind, space]}: {', '.join(names)}."
        for (dataset, kind, space), names in together.items()
    ]
