"""Rejection sampling: keeps generated samples that a classifier recognises as their intended class."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import InputError
from ..storage.contracts import write_csv
from ..study.words import counted

LABELS = ["sample_id", "label_name"]


def keep(
    scores: Path, out: Path, intended: Path | None, label: str | None, threshold: float | None, best: int | None
) -> pd.DataFrame:
    """Write the kept samples to `out` and the acceptance rates beside it, {stem}_acceptance.csv; return the rates.

    The table `intended` (sample_id, label_name) has the intended class of each sample, or `label` is that of all. A
    sample is kept if its class has at least the probability `threshold`, or if it is among the `best` of its class;
    ties go to the first in `scores`. Columns of out: sample_id, label_name, probability, in the order of `scores`;
    of the rates: label_name, samples, kept, acceptance_rate, with a row per class and a last row, `all`.
    """
    if threshold is not None and not 0 <= threshold <= 1:
        raise InputError(f"--threshold {threshold}: expected a probability, 0 to 1")
    if best is not None and best < 1:
        raise InputError(f"--best {best}: expected at least 1")
    frame = read_scores(scores)
    samples = frame[["sample_id"]].assign(label_name=label or read_labels(intended, frame["sample_id"]))
    classes = list(frame.columns[1:])
    unknown = samples.loc[~samples["label_name"].isin(classes), "label_name"]
    if len(unknown):
        raise InputError(f"{intended or '--class'}: class {unknown.iloc[0]!r} is not in {scores}; it has {classes}")
    column = pd.Categorical(samples["label_name"], categories=classes).codes
    samples["probability"] = frame[classes].to_numpy()[np.arange(len(frame)), column]
    kept = samples["probability"] >= threshold if best is None else rank(samples) < best
    write_csv(samples[kept], out)
    rates = acceptance(samples["label_name"], kept, classes)
    write_csv(rates, acceptance_path(out))
    return rates


def acceptance_path(out: Path) -> Path:
    return out.with_name(f"{out.stem}_acceptance.csv")


def rank(samples: pd.DataFrame) -> pd.Series:
    """Rank samples within their class: 0 for the most probable one, 1 for the next; ties keep the file's order."""
    ordered = samples.sort_values("probability", ascending=False, kind="stable")
    return ordered.groupby("label_name").cumcount().reindex(samples.index)


def acceptance(label_name: pd.Series, kept: pd.Series, classes: list[str]) -> pd.DataFrame:
    """Samples, kept samples and their share, for each intended class and for all."""
    parts = {name: kept[label_name == name] for name in classes if (label_name == name).any()}
    rows = [(name, len(part), int(part.sum()), part.mean()) for name, part in [*parts.items(), ("all", kept)]]
    return pd.DataFrame(rows, columns=["label_name", "samples", "kept", "acceptance_rate"])


def read_scores(path: Path) -> pd.DataFrame:
    """sample_id (text, none twice), then one probability per class; rows sum to one."""
    if not path.is_file():
        raise InputError(f"{path} does not exist; write it with `learnability score`")
    try:
        frame = pd.read_parquet(path, page_checksum_verification=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a Parquet file: {error}; write it with `learnability score`") from error
    numbers = frame.iloc[:, 1:]
    if list(frame.columns[:1]) != ["sample_id"] or numbers.shape[1] < 2 or set(numbers.dtypes) != {np.dtype("float64")}:
        raise InputError(
            f"{path}: columns {list(frame.columns)}; expected sample_id and one float64 column per class, as "
            "`learnability score` writes them"
        )
    if frame.empty or not np.allclose(numbers.sum(axis=1), 1, rtol=0, atol=1e-9) or (numbers < 0).any(axis=None):
        raise InputError(f"{path}: rows are missing or do not sum to one; write it with `learnability score`")
    refuse_duplicates(frame["sample_id"], path)
    return frame


def read_labels(path: Path, ids: pd.Series) -> np.ndarray:
    """Read the intended class of each of `ids` from a table with the columns sample_id and label_name."""
    if not path.is_file():
        raise InputError(f"{path} does not exist; expected a CSV file with the columns {', '.join(LABELS)}")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)  # a class may be called None
    if not set(LABELS) <= set(table.columns):
        raise InputError(f"{path}: columns {list(table.columns)}; expected {', '.join(LABELS)}")
    refuse_duplicates(table["sample_id"], path)
    names = table.set_index("sample_id")["label_name"].reindex(ids)
    missing = names.index[names.isna()]
    if len(missing):
        raise InputError(
            f"{path}: no class for {counted(len(missing), 'scored sample')}, the first is {missing[0]!r}; add them"
        )
    return names.to_numpy()


def refuse_duplicates(ids: pd.Series, path: Path) -> None:
    repeated = ids[ids.duplicated()]
    if len(repeated):
        raise InputError(f"{path}: sample {repeated.iloc[0]!r} appears twice; name each sample once")
