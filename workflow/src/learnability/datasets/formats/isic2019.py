"""ISIC 2019, training part: ground truth, metadata and JPEG images as released (docs/datasets.md)."""

from pathlib import Path

import pandas as pd

from ...errors import InputError
from ...storage.contracts import file_digest
from ...study.words import counted
from ..names import own_groups
from ..published_counts import compare_counts
from ..source import Source, check_samples
from .files import read_image, require, resolve_root
from .table import check_class_columns, join_table, one_hot, read_table

TRUTH, METADATA = "ISIC_2019_Training_GroundTruth.csv", "ISIC_2019_Training_Metadata.csv"
OPENS_AT_ONCE = True
IMAGES = "ISIC_2019_Training_Input"
SUFFIXES = (".jpg", ".jpeg", ".png")  # .jpg as released
PUBLISHED_COUNTS = {"AK": 867, "BCC": 3323, "BKL": 2624, "DF": 239, "MEL": 4522, "NV": 12875, "SCC": 628, "VASC": 253}
CLASSES = list(PUBLISHED_COUNTS)  # alphabetical


def open_source(entry: dict, threads: int = 1) -> Source:
    """Open the 25,331 labelled images; groups are lesions, and an image without a lesion id is its own group."""
    root = resolve_root(entry["root"])
    require(root, [TRUTH, METADATA, IMAGES], "the ISIC 2019 training data")
    truth = read_table(root / TRUTH, ["image", "UNK", *CLASSES])
    check_class_columns(truth, CLASSES, ["image", "UNK"])
    check_unknown(truth)
    table = join_table(truth, read_table(root / METADATA, ["image", "lesion_id"]), "image")
    ids = table.column("image")  # including `_downsampled`, which is part of the file's name
    known = ["", *entry.get("missing_groups", [])]  # 2,084 lesions are blank as released
    group, missing = own_groups(table.column("lesion_id"), ids, known, str(root / METADATA))
    samples = pd.DataFrame({"sample_id": ids, "label_name": one_hot(table, CLASSES, ids), "group": group})
    check_samples(samples, str(root / TRUTH))
    folder, channels = root / IMAGES, entry.get("channels", 3)

    def path(i: int) -> Path:
        candidates = [folder / (samples["sample_id"].iloc[i] + suffix) for suffix in SUFFIXES]
        return next((candidate for candidate in candidates if candidate.is_file()), candidates[0])

    found = samples["label_name"].value_counts()
    return Source(
        samples=samples,
        classes=CLASSES,
        read=lambda i: read_image(path(i), channels),
        channels=channels,
        provenance={"tables": {name: file_digest(root / name) for name in (TRUTH, METADATA)}},
        grouped=True,
        grouped_by="lesion_id; a blank one is its own group",
        path=path,
        published=compare_counts("ISIC 2019 ground truth", PUBLISHED_COUNTS, found),
        names={"stripped": table.stripped, "missing_groups": missing},
    )


def check_unknown(truth) -> None:
    """Refuse rows with UNK, which is no class: it is zero in every training row."""
    if "UNK" not in truth.header:
        return
    wrong = pd.to_numeric(truth.column("UNK"), errors="coerce") != 0
    if wrong.any():
        first = truth.column("image")[wrong].iloc[0]
        raise InputError(
            f"{truth.path}: {counted(wrong.sum(), 'row')} with UNK other than 0, the first is {first!r}; UNK is no "
            "class of the training part: use the official file, or take these rows out"
        )
