"""Labelled image collections: one module per on-disk format.

Each has `open_source(entry, threads) -> Source`, which may use that many threads. OPENS_AT_ONCE says whether opening
takes only seconds; a module that takes longer also has a quick `check_source(entry)`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import InputError
from ..registry import load
from ..study.words import counted
from .formats.files import differs, has_colour
from .names import add_counts, strip, unify

LOOKED_FOR = 20  # images whose files are looked for before any is read


@dataclass
class Source:
    """A collection that is ready to be packed: what each image is, and how to read it.

    `samples` has the columns sample_id, label_name, group; row i describes image i. `read(i)` returns uint8
    (H, W, C), C 1 or 3, and may be called from several threads. `classes` is the order of the label indices.
    `path(i)` is the file of image i, where each image has its own. `published` compares the counts of the label
    files with published ones (see published_counts.py). `grouped` is whether the data say which images belong
    together, such as those of one patient, and `grouped_by` by what. `names` counts changed names: `stripped` and
    `unified` by column (see names.py), `missing_groups` by their text; images that were left out later count too.
    """

    samples: pd.DataFrame
    classes: list[str]
    read: Callable[[int], np.ndarray]
    channels: int
    synthetic: bool = False
    provenance: dict = field(default_factory=dict)
    grouped: bool = False
    grouped_by: str = "every image its own group"
    path: Callable[[int], Path] | None = None
    published: dict | None = None
    names: dict[str, dict[str, int]] = field(default_factory=dict)

    def has_colour(self, i: int, image: np.ndarray) -> bool:
        """Whether the file of image i, read as `image`, has colour: red, green and blue differ somewhere."""
        if self.channels == 1:  # read as grey, whatever the file holds
            return self.path is not None and has_colour(self.path(i))
        return differs(image)

    def take(self, rows: np.ndarray, **changes) -> "Source":
        """Reduce the collection to some of its rows."""
        return replace(
            self,
            samples=self.samples.iloc[rows].reset_index(drop=True),
            read=lambda i: self.read(int(rows[i])),
            path=None if self.path is None else lambda i: self.path(int(rows[i])),
            **changes,
        )


def open_source(entry: dict, threads: int = 1) -> Source:
    """Open the collection that a `datasets` entry of the config describes, by its `format`."""
    module = load("datasets.*.format", entry["format"])
    source = module.open_source(entry, threads)
    settle_names(source, str(entry.get("root", entry["format"])))
    if subset := entry.get("subset"):
        source = source.take(stratified_subset(source.samples, subset["images"], subset.get("seed", 0)))
    return source


def settle_names(source: Source, origin: str) -> None:
    """Strip the sample ids and groups of a collection, write each name in one way, and count the changes."""
    names = {"stripped": {}, "unified": {}, "missing_groups": {}} | source.names
    for column in ("sample_id", "group"):
        values, stripped = strip(source.samples[column])
        values, unified = unify(values)
        if stripped or unified:
            source.samples[column] = values
        for change, number in {"stripped": stripped, "unified": unified}.items():
            names[change] = add_counts(names[change], {column: number} if number else {})
    source.names = names
    if names["stripped"] or names["unified"]:
        check_samples(source.samples, origin)


def check_samples(samples: pd.DataFrame, origin: str, label: str = "label_name") -> None:
    """Refuse duplicate ids, empty labels and empty groups; messages call the source `origin`, its labels `label`."""
    if samples.empty:
        raise InputError(f"{origin}: no labelled image found; expected at least one row")
    ids = samples["sample_id"]
    hashes = np.fromiter(map(hash, ids), np.int64, len(ids))  # pandas would hold a Python string for every id at once
    duplicated = ids[ids.duplicated()] if len(np.unique(hashes)) < len(ids) else ids[:0]
    if len(duplicated):
        raise InputError(
            f"{origin}: {counted(len(duplicated), 'duplicate sample id')}, the first is {duplicated.iloc[0]!r}; "
            "every image must appear once: remove the repeated rows"
        )
    for column in ("label_name", "group"):
        missing = samples[column].isna() | (samples[column].astype(str) == "")
        if missing.any():
            first = samples.loc[missing, "sample_id"].iloc[0]
            name = label if column == "label_name" else column
            advice = "fill them in, or take them out"
            raise InputError(
                f"{origin}: {counted(missing.sum(), 'row')} without {name}, the first is {first!r}; {advice}"
            )


def describe_left_out(source: Source) -> str:
    """Say what a format left out because its entry asks for it, with counts by reason; "" if nothing."""
    counts = source.provenance.get("left_out", {})
    return f"left out: {', '.join(f'{count:,} ({reason})' for reason, count in counts.items())}" if counts else ""


def check_source(entry: dict) -> Source | None:
    """Raise an InputError for errors that can be found in seconds: in folders, tables, labels and a few images.

    Returns the collection, or None if opening it takes longer.
    """
    module = load("datasets.*.format", entry["format"])
    if not module.OPENS_AT_ONCE:
        module.check_source(entry)
        return None
    source = open_source(entry)
    check_images_exist(source)
    return source


def opens_at_once(entry: dict) -> bool:
    """Whether open_source takes only seconds, so a check may count the images."""
    return load("datasets.*.format", entry["format"]).OPENS_AT_ONCE


def check_images_exist(source: Source) -> None:
    """Refuse a collection if none of a few images, spread over it, is in its place.

    This detects a wrong root; single missing files are left to `max_bad_images`.
    """
    if source.path is None:
        return
    rows = spread_rows(source, LOOKED_FOR)
    if not any(source.path(i).is_file() for i in rows):
        raise InputError(
            f"{source.path(0)} does not exist, nor does any other of {len(rows)} images that were looked for; "
            "unpack the images there, or correct `root`"
        )


def spread_rows(source: Source, number: int) -> list[int]:
    """About `number` rows, spread evenly over the collection; all rows if it has no more."""
    last = len(source.samples) - 1
    return np.unique(np.linspace(0, last, min(number, last + 1)).astype(int)).tolist()


def stratified_subset(samples: pd.DataFrame, images: int, seed: int) -> np.ndarray:
    """Choose about `images` rows: whole groups, drawn at random within each class in proportion to its size."""
    generator = np.random.default_rng(seed)
    per_group = samples.groupby("group", sort=True)["label_name"].agg(["first", "size"])
    chosen = []
    for _, members in per_group.groupby("first", sort=True):
        members = members.iloc[generator.permutation(len(members))]
        quota = max(1, round(images * members["size"].sum() / len(samples)))  # no class vanishes
        before = members["size"].cumsum() - members["size"]
        chosen.extend(members.index[before < quota])
    return np.flatnonzero(samples["group"].isin(chosen))
