"""CT-RATE slices with ReXGroundingCT findings: the slice table of the published study (docs/datasets.md)."""

import re

import numpy as np
import pandas as pd

from ...errors import InputError
from ...storage.contracts import file_digest
from ...study.words import counted
from ..published_counts import compare_counts
from ..source import Source, check_samples
from .files import read_image, resolve_root
from .table import check_class_columns, one_hot, read_table

OPENS_AT_ONCE = True
NOT_CLASSES = ["index", "path", "Split", "id", "Unnamed: 0"]
FINDINGS = ["1a", "1b", "1c", "1d", "1e", "1f", "2a", "2b", "2c", "2d", "2e", "2h"]
CLASSES = [*FINDINGS, "No Finding"]  # alphabetical: digits come first
NAME = re.compile(r"((?:train|valid)_\d+)_[a-z]+_\d+")  # split, patient, scan, reconstruction


def open_source(entry: dict, threads: int = 1) -> Source:
    """One image per slice; the group is split and patient, the first two fields of the name."""
    root = resolve_root(entry["root"])
    table = read_table(root / entry.get("table", "ctrate.csv"), ["path", *CLASSES])
    check_class_columns(table, CLASSES, NOT_CLASSES)
    path = table.column("path")
    # train_9_a_1_f12 of slices/train_9_a_1_f12.nii.gz.png
    ids = path.str.rsplit("/", n=1).str[-1].str.partition(".")[0]
    origin = str(table.path)
    samples = pd.DataFrame(
        {"sample_id": ids, "label_name": one_hot(table, CLASSES, ids), "group": patients(ids, origin)}
    )
    kept, counted = merge_rows(samples, entry.get("conflicting_rows", "error"), origin)
    samples, path = samples.iloc[kept].reset_index(drop=True), path.iloc[kept].reset_index(drop=True)
    check_samples(samples, origin)
    channels = entry.get("channels", 1)
    return Source(
        samples=samples,
        classes=CLASSES,
        read=lambda i: read_image(root / path.iloc[i], channels),
        channels=channels,
        provenance={"tables": {table.path.name: file_digest(table.path)}, **counted},
        grouped=True,
        grouped_by="split and patient in the name",
        path=lambda i: root / path.iloc[i],
        published=compare_counts(
            "rows of the published study's slice table", {"rows": 22305}, {"rows": len(table.rows)}
        ),
        names={"stripped": table.stripped},
    )


def patients(ids: pd.Series, origin: str) -> pd.Series:
    """Return train_9 for train_9_a_1_f12; the numbers of valid_* start again and mean other people."""
    groups = ids.str.extract(NAME, expand=False)
    if groups.isna().any():
        raise InputError(
            f"{origin}: {counted(groups.isna().sum(), 'name')} without split, patient, scan and reconstruction, the "
            f"first is {ids[groups.isna()].iloc[0]!r}; expected names like train_9_a_1"
        )
    return groups


def merge_rows(samples: pd.DataFrame, conflicting: str, origin: str) -> tuple[np.ndarray, dict]:
    """Keep one row per slice. Copies are merged; a slice with two labels is an error, or is dropped."""
    copy = samples.duplicated(["sample_id", "label_name"])
    conflict = samples.groupby("sample_id")["label_name"].transform("nunique") > 1
    slices = samples.loc[conflict, "sample_id"].unique()
    if len(slices) and conflicting == "error":
        labels = samples.loc[samples["sample_id"] == slices[0], "label_name"].unique()
        raise InputError(
            f"{origin}: {counted(len(slices), 'slice')} with more than one label, the first is {slices[0]!r} with "
            f"{sorted(labels)}; correct the table, or set `conflicting_rows: drop` to leave these slices out"
        )
    found = {"copies_merged": int((copy & ~conflict).sum()), "conflicting_slices_dropped": len(slices)}
    print(f"{origin}: rows merged as copies: {found['copies_merged']}; slices in conflict dropped: {len(slices)}")
    return np.flatnonzero(~copy & ~conflict), found
