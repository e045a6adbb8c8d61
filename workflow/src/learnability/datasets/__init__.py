"""Labelled image collections: one module per on-disk format, each with `open_source(entry) -> Source`."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd


@dataclass
class Source:
    """A collection that is ready to be packed: what each image is, and how to read it.

    `samples` has the columns sample_id, label_name, group; row i describes image i. `read(i)` returns uint8
    (H, W, C), C 1 or 3, and may be called from several threads. `classes` is the order of the label indices.
    """

    samples: pd.DataFrame
    classes: list[str]
    read: Callable[[int], np.ndarray]
    channels: int
    synthetic: bool = False
    provenance: dict = field(default_factory=dict)


def open_source(entry: dict) -> Source:
    """Open the collection that a `datasets` entry of the config describes, by its `format`."""
    if entry["format"] == "phantom":
        from . import phantom

        return phantom.open_source(entry)
    from . import table

    return table.open_source(entry)
