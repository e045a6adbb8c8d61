"""Exact duplicates: images with the same packed pixels as another image. Across two groups they are leakage."""

import hashlib

import numpy as np
import pandas as pd

from ..errors import InputError
from ..study.words import counted

SHOWN = 3  # sets of equal images in a message

DIGEST = 16  # bytes
DUPLICATE_COLUMNS = ["content", "sample_id", "label_name", "group"]


def digest_image(image: np.ndarray) -> bytes:
    """Digest of an image's pixels."""
    return hashlib.blake2b(np.ascontiguousarray(image), digest_size=DIGEST).digest()


def find_duplicates(samples: pd.DataFrame, contents: bytes) -> pd.DataFrame:
    """The images that equal another: content (digest in hex), sample_id, label_name, group.

    `contents` holds the digests of all images, one after the other.
    """
    digests, number = np.unique(np.frombuffer(contents, f"V{DIGEST}"), return_inverse=True)
    number = pd.Series(number, index=samples.index)
    number = number[number.duplicated(keep=False)]
    shared = samples.loc[number.index].assign(content=[digest.tobytes().hex() for digest in digests[number]])
    return shared.sort_values("content", kind="stable")[DUPLICATE_COLUMNS]


def count_duplicates(duplicates: pd.DataFrame) -> dict[str, int]:
    """Count images with a copy, those with a copy in another group, and those with a copy of another label."""
    per_content = duplicates.groupby("content")
    return {
        "images": len(duplicates),
        "across_groups": int((per_content["group"].transform("nunique") > 1).sum()),
        "with_conflicting_labels": int((per_content["label_name"].transform("nunique") > 1).sum()),
    }


def check_choice(name: str, entry: dict) -> None:
    """Refuse an entry that asks for two treatments of equal images."""
    if entry.get("deduplicate") and entry.get("duplicates") == "keep":
        raise InputError(
            f"datasets.{name}: deduplicate and `duplicates: keep` exclude one another; expected one of them: take "
            "`duplicates` out to put groups that share an image together, or `deduplicate` to leave them apart"
        )


def refuse_duplicates(duplicates: pd.DataFrame, origin: str, listed: str) -> None:
    """Stop if equal images are in different groups; `listed` is the file that names them all."""
    across = duplicates[duplicates.groupby("content")["group"].transform("nunique") > 1]
    if across.empty:
        return
    conflicts = count_duplicates(across)["with_conflicting_labels"]
    labels = f" ({conflicts} with a copy of another label)" if conflicts else ""
    raise InputError(
        f"{origin}: {counted(len(across), 'image')} with an identical copy in another group, pixel for pixel as "
        f"packed{labels}: {in_words(across)}. In two folds that is leakage. All are in {listed}: take images out or "
        "correct their groups, or set in the dataset's entry `deduplicate: true` (their groups become one, every "
        "image stays), or `duplicates: keep` (they may train and test; every table then says so)"
    )


def warnings_of_duplicates(duplicates: pd.DataFrame, merged: bool) -> list[str]:
    """Warnings about equal images that stay: those in two groups (unless merged), and those with two labels."""
    found, per_content = [], duplicates.groupby("content")
    across = duplicates[per_content["group"].transform("nunique") > 1]
    if len(across) and not merged:
        found.append(
            f"{counted(len(across), 'image')} with an equal one in another group, which were kept: {in_words(across)}"
        )
    conflicting = duplicates[per_content["label_name"].transform("nunique") > 1]
    if len(conflicting):
        found.append(
            f"{counted(len(conflicting), 'image')} with an equal image of another label: {in_words(conflicting)}"
        )
    return found


def in_words(duplicates: pd.DataFrame) -> str:
    """The first sets of equal images, each image with its class and group."""
    sets = [
        " = ".join(f"{row.sample_id!r} ({row.label_name}, group {row.group!r})" for row in rows.itertuples())
        for _, rows in list(duplicates.groupby("content", sort=False))[:SHOWN]
    ]
    return "; ".join(sets)


def merge_groups(group: pd.Series, duplicates: pd.DataFrame) -> pd.Series:
    """Merge groups that share an image, also through chains; the merged group takes the first name in order."""
    if duplicates.empty:
        return group
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    codes, names = pd.factorize(group, sort=True)
    linked = duplicates.groupby("content")["group"].transform("first")  # link each group of a set to the set's first
    rows, columns = (pd.Index(names).get_indexer(each) for each in (duplicates["group"], linked))
    links = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(len(names), len(names)))
    _, component = connected_components(links, directed=False)
    first = pd.Series(np.arange(len(names))).groupby(component).transform("first").to_numpy()
    return pd.Series(pd.Index(names).take(first[codes]), index=group.index, name=group.name)
