"""MIMIC-CXR-LT: LongTailCXR's single-label files over the tree of MIMIC-CXR-JPG (docs/datasets.md)."""

from pathlib import Path

import pandas as pd

from ...storage.contracts import file_digest
from ..names import add_counts, own_groups
from ..published_counts import compare_counts
from ..source import Source, check_samples
from .files import read_image, require, resolve_root
from .table import Table, check_class_columns, one_hot, read_table

OPENS_AT_ONCE = True
# balanced-test is part of test, so pooling it would double its rows.
LABEL_FILES = [f"mimic-cxr-lt_single-label_{part}.csv" for part in ("train", "balanced-val", "test")]
NOT_CLASSES = ["subject_id", "study_id", "dicom_id", "path"]
CLASSES = [
    "Atelectasis", "Calcification of the Aorta", "Cardiomegaly", "Consolidation", "Edema",
    "Enlarged Cardiomediastinum", "Fracture", "Lung Lesion", "Lung Opacity", "No Finding", "Pleural Effusion",
    "Pleural Other", "Pneumomediastinum", "Pneumonia", "Pneumoperitoneum", "Pneumothorax", "Subcutaneous Emphysema",
    "Support Devices", "Tortuous Aorta",
]  # fmt: skip
PUBLISHED_COUNTS = {"images": 111328, "balanced-val": 285}  # counts per class are published only for the training part


def open_source(entry: dict, threads: int = 1) -> Source:
    """Pool the training, validation and test parts for cross-validation; groups are subjects."""
    root = resolve_root(entry["root"])
    labels = root if (root / LABEL_FILES[0]).is_file() else root / "labels"
    missing_names = [str((labels / name).relative_to(root)) for name in LABEL_FILES]
    require(root, [*missing_names, "files"], "MIMIC-CXR-JPG with the label files of LongTailCXR")
    parts = [read_part(labels / name) for name in LABEL_FILES]
    samples = pd.concat([samples_of(part) for part in parts], ignore_index=True)
    paths = pd.concat([part.column("path") for part in parts], ignore_index=True)
    origin = f"{labels}: {', '.join(LABEL_FILES)}"
    samples["group"], missing = own_groups(
        samples["group"], samples["sample_id"], entry.get("missing_groups", []), origin
    )
    check_samples(samples, origin)
    channels = entry.get("channels", 1)

    def path(i: int) -> Path:
        return root / paths.iloc[i]

    found = {"images": len(samples), "balanced-val": len(parts[1].rows)}
    return Source(
        samples=samples,
        classes=CLASSES,
        read=lambda i: read_image(path(i), channels),
        channels=channels,
        provenance={"tables": {name: file_digest(labels / name) for name in LABEL_FILES}},
        grouped=True,
        grouped_by="subject_id",
        path=path,
        published=compare_counts("rows of the published study; LongTailCXR", PUBLISHED_COUNTS, found),
        names={"stripped": add_counts(*(part.stripped for part in parts)), "missing_groups": missing},
    )


def read_part(path: Path) -> Table:
    """Read one label file: ids, path and the 19 one-hot columns, in any order."""
    table = read_table(path, ["subject_id", "dicom_id", "path", *CLASSES])
    check_class_columns(table, CLASSES, NOT_CLASSES)
    return table


def samples_of(table: Table) -> pd.DataFrame:
    ids = table.column("dicom_id")
    labels = one_hot(table, CLASSES, ids)
    return pd.DataFrame({"sample_id": ids, "label_name": labels, "group": table.column("subject_id")})
