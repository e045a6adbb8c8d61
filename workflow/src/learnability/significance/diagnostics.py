"""The diagnostics of every encoding as one frame, and their means over the datasets."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..storage.contracts import read_csv
from .rows import NOT_APPLICABLE

IMAGES, BASELINE = "original", "baseline"
NUMBER = ["diagnostic", "variant"]
OF_ENCODING = ["dataset", "autoencoder", "role", "factor"]
FRAME = [*OF_ENCODING, *NUMBER, "value", "null"]


def read_diagnostics(paths: Iterable[str | Path], cards: Sequence[Mapping]) -> pd.DataFrame:
    """FRAME of files of diagnostics; `cards` are those of their encodings, in the same order.

    `value` and `null` are as in the files: numbers, or "n/a" with a reason. The images, named `original`, are there
    once for each dataset and factor of a grid.
    """
    return stacked(paths, cards, [*OF_ENCODING, *NUMBER], ["value", "null"])[FRAME]


def read_spectra(paths: Iterable[str | Path], cards: Sequence[Mapping]) -> pd.DataFrame:
    """dataset, autoencoder, role, factor, frequency (cycles per cell) and power of files of spectra, as above."""
    frame = stacked(paths, cards, [*OF_ENCODING, "frequency"], ["power"])
    return frame[[*OF_ENCODING, "frequency", "power"]].astype({"frequency": float, "power": float})


def stacked(paths: Iterable[str | Path], cards: Sequence[Mapping], key: list[str], values: list[str]) -> pd.DataFrame:
    """Files below each other with the factor of their grid, the rows of one key as their mean.

    Several files have the same images; an autoencoder that is fine-tuned for each fold has a file for each.
    """
    frames = [
        read_csv(path, keep_default_na=False, dtype=str).assign(factor=card["factor"])
        for path, card in zip(paths, cards, strict=True)
    ]
    frame = pd.concat(frames, ignore_index=True)
    once_more = frame.duplicated([*key, *values]) & (frame["role"] == BASELINE)
    frame = frame[~once_more].reset_index(drop=True)
    again = frame.duplicated(key, keep=False)
    if again.any():
        means = frame[again].groupby(key, sort=False)[values].agg(mean_of).reset_index()
        frame = pd.concat([frame[~again], means], ignore_index=True)
    return frame


def is_of(rows: pd.DataFrame, number: Sequence[str]) -> pd.Series:
    """Which rows are of this diagnostic and variant."""
    return (rows[NUMBER] == list(number)).all(axis=1)


def as_numbers(texts: pd.Series) -> pd.Series:
    """Finite numbers, NaN for the rest."""
    return pd.to_numeric(texts, errors="coerce").replace([np.inf, -np.inf], np.nan)


def mean_of(texts: pd.Series) -> float | str:
    """The mean of numbers; where one lacks, "n/a" with its reason, if all lack for the same one."""
    found = as_numbers(texts)
    if found.notna().all():
        return float(found.mean())
    reasons = set(texts)
    shared = reasons.pop() if len(reasons) == 1 else ""
    return shared if shared.startswith(NOT_APPLICABLE) else f"{NOT_APPLICABLE} (only some of what it is a mean of)"


def over_datasets(frame: pd.DataFrame, column: str) -> pd.Series:
    """The mean of a column over the datasets that an encoding is on, by OF_ENCODING without dataset, and NUMBER."""
    return frame.groupby([*OF_ENCODING[1:], *NUMBER], sort=False)[column].agg(mean_of)


def on_some(frame: pd.DataFrame) -> dict[str, list[str]]:
    """The datasets of the autoencoders that are not on all of the frame's, by name."""
    everywhere = frame["dataset"].nunique()
    found = frame.groupby("autoencoder", sort=False)["dataset"].unique()
    return {name: [*datasets] for name, datasets in found.items() if len(datasets) < everywhere}
