"""Exact duplicates: images whose pixels, as packed, are those of another image. In two groups they are leakage."""

import hashlib

import numpy as np
import pandas as pd

DIGEST = 16  # bytes
COLUMNS = ["content", "sample_id", "label_name", "group"]


def digest_image(image: np.ndarray) -> bytes:
    """Digest of an image's pixels."""
    return hashlib.blake2b(np.ascontiguousarray(image), digest_size=DIGEST).digest()


def find_duplicates(samples: pd.DataFrame, contents: bytes) -> pd.DataFrame:
    """The images that share their content with another: content (its number), sample_id, label_name, group.

    `contents` holds the digests of all images, one behind the other.
    """
    _, number = np.unique(np.frombuffer(contents, f"V{DIGEST}"), return_inverse=True)
    content = pd.Series(number, index=samples.index)
    shared = samples.assign(content=content)[content.duplicated(keep=False)]
    return shared.sort_values("content", kind="stable")[COLUMNS]


def count_duplicates(duplicates: pd.DataFrame) -> dict[str, int]:
    """Images with a copy, how many of them have one in another group, and how many one with another label."""
    per_content = duplicates.groupby("content")
    return {
        "images": len(duplicates),
        "across_groups": int((per_content["group"].transform("nunique") > 1).sum()),
        "with_conflicting_labels": int((per_content["label_name"].transform("nunique") > 1).sum()),
    }


def merge_groups(group: pd.Series, duplicates: pd.DataFrame) -> pd.Series:
    """Groups that share an image become one, named by its first in order of the names; chains are followed."""
    if duplicates.empty:
        return group
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    codes, names = pd.factorize(group, sort=True)
    linked = duplicates.groupby("content")["group"].transform("first")  # each group of a set with the set's first
    rows, columns = (pd.Index(names).get_indexer(each) for each in (duplicates["group"], linked))
    links = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(len(names), len(names)))
    _, component = connected_components(links, directed=False)
    first = pd.Series(np.arange(len(names))).groupby(component).transform("first").to_numpy()
    return pd.Series(pd.Index(names).take(first[codes]), index=group.index, name=group.name)
