"""The diagnostics of every encoding as one frame, and their means over the datasets."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..storage.contracts import read_csv
from .rows import NOT_APPLICABLE

ENCODED = ("family", "control")  # roles; what has another are the images
IMAGES, BASELINE = "original", "baseline"
NUMBER = ["diagnostic", "variant"]
OF_ENCODING = ["dataset", "autoencoder", "role", "factor"]
FRAME = [*OF_ENCODING, *NUMBER, "value", "null"]


def read_diagnostics(paths: Iterable[str | Path], cards: Sequence[Mapping]) -> pd.DataFrame:
    """FRAME of files of diagnostics; `cards` are those of their encodings, in the same order.

    `value` and `null` are texts as in the files: numbers, or "n/a" with a reason. The images are named `original`;
    they are on the grid of an autoencoder, and once for each dataset and factor.
    """
    return stacked(paths, cards, [*OF_ENCODING, *NUMBER])[FRAME]


def read_spectra(paths: Iterable[str | Path], cards: Sequence[Mapping]) -> pd.DataFrame:
    """dataset, autoencoder, role, factor, frequency (cycles per cell) and power of files of spectra, as above."""
    frame = stacked(paths, cards, [*OF_ENCODING, "frequency"])
    return frame[[*OF_ENCODING, "frequency", "power"]].astype({"frequency": float, "power": float})


def stacked(paths: Iterable[str | Path], cards: Sequence[Mapping], key: list[str]) -> pd.DataFrame:
    """Files below each other with the factor of their grid; of the images, which several files have, the first rows."""
    frames = [
        read_csv(path, keep_default_na=False, dtype=str).assign(factor=card["factor"])
        for path, card in zip(paths, cards, strict=True)
    ]
    frame = pd.concat(frames, ignore_index=True)
    images = ~frame["role"].isin(ENCODED)
    frame.loc[images, ["autoencoder", "role"]] = IMAGES, BASELINE
    return frame.drop_duplicates(key, ignore_index=True)


def as_numbers(texts: pd.Series) -> pd.Series:
    """Finite numbers, NaN for the rest."""
    return pd.to_numeric(texts, errors="coerce").replace([np.inf, -np.inf], np.nan)


def over_datasets(frame: pd.DataFrame, column: str) -> pd.Series:
    """The mean of a column over all datasets of the frame, by OF_ENCODING without dataset, and NUMBER.

    An encoding that lacks the number on one of them has "n/a" with the reason, where all lack it for the same one.
    """
    everywhere = frame["dataset"].nunique()

    def mean(texts: pd.Series) -> float | str:
        found = as_numbers(texts)
        if len(found) == everywhere and found.notna().all():
            return float(found.mean())
        reasons = set(texts[found.isna()])
        shared = reasons.pop() if len(reasons) == 1 and found.isna().all() else ""
        return shared if shared.startswith(NOT_APPLICABLE) else f"{NOT_APPLICABLE} (not on every data set)"

    return frame.groupby([*OF_ENCODING[1:], *NUMBER], sort=False)[column].agg(mean)
