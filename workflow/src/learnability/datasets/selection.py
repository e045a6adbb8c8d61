"""Which readable images stay: those of classes with enough groups, once groups that share an image are merged."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .classes import rare_classes
from .duplicates import DIGEST, find_duplicates, merge_groups


@dataclass
class Selection:
    """The samples that stay, with their final groups; `rows` are their rows among the images that were read.

    `dropped` has the number of groups of each class that was left out. `duplicates` are the images that share their
    content, with the groups that they had before (see duplicates.py).
    """

    samples: pd.DataFrame
    rows: np.ndarray
    dropped: dict[str, int]
    duplicates: pd.DataFrame
    groups_merged: int


def select(samples: pd.DataFrame, contents: bytes, classes: list[str], entry: dict, n_splits: int | None) -> Selection:
    """Apply `deduplicate`, and `rare_classes: drop`, to the images that were read; `contents` are their digests.

    A class may have become rare since the label file was read, because its files are unreadable or its groups were
    merged. Without its images, others may no longer have a copy, so groups are counted again.
    """
    digests = np.frombuffer(contents, f"V{DIGEST}")
    samples, dropped = samples.reset_index(drop=True), {}
    while True:
        duplicates = find_duplicates(samples, digests[samples.index].tobytes())
        group = merge_groups(samples["group"], duplicates) if entry["deduplicate"] else samples["group"]
        merged = int(samples["group"].nunique() - group.nunique())
        left = [label for label in classes if label not in dropped]
        rare = rare_classes(samples.assign(group=group), left, n_splits) if entry["rare_classes"] == "drop" else {}
        if not rare:
            break
        dropped |= rare
        samples = samples[~samples["label_name"].isin(rare)]
    rows = samples.index.to_numpy()
    return Selection(samples.assign(group=group).reset_index(drop=True), rows, dropped, duplicates, merged)
