"""ImageNet's training part as an ImageFolder by wordnet id, for measurements of efficiency (docs/datasets.md)."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from ...errors import InputError
from ..published_counts import compare_counts
from ..source import Source, check_samples
from .files import image_names, listing_digest, read_image, require, resolve_root

OPENS_AT_ONCE = False  # every file is looked at
PUBLISHED_COUNTS = {"classes": 1000, "images": 1281167}


def open_source(entry: dict, threads: int = 1) -> Source:
    """Open train/<wordnet id>/<image>; classes are the sorted wordnet ids, and there are no groups."""
    train, classes = find_classes(entry)
    with ThreadPoolExecutor(threads) as pool:
        names = list(pool.map(lambda label: image_names(train / label), classes))
    counts = [len(each) for each in names]
    files = pd.Series([name for each in names for name in each], dtype=str)
    labels = pd.Series(pd.array(classes, dtype="str").take(np.repeat(np.arange(len(classes)), counts)))
    ids = files.str.rpartition(".")[0]
    samples = pd.DataFrame({"sample_id": ids, "label_name": labels, "group": ids})
    check_samples(samples, str(train))
    channels = entry.get("channels", 3)

    def path(i: int) -> Path:
        return train / labels.iloc[i] / files.iloc[i]

    return Source(
        samples=samples,
        classes=classes,
        read=lambda i: read_image(path(i), channels),
        channels=channels,
        provenance={"listing": listing_digest(labels + "/" + files)},
        path=path,
        published=compare_counts("ILSVRC 2012", PUBLISHED_COUNTS, {"classes": len(classes), "images": len(files)}),
    )


def check_source(entry: dict) -> None:
    """Check the class folders and list only one of them: listing a million files takes minutes on some disks."""
    train, classes = find_classes(entry)
    if not image_names(train / classes[0]):
        raise InputError(f"{train / classes[0]}: no image; unpack the archive of each class into its folder")


def find_classes(entry: dict) -> tuple[Path, list[str]]:
    """Find the folder train and its wordnet ids; any other folder in it is an error, as it would become a class."""
    root = resolve_root(entry["root"])
    require(root, ["train"], "ImageNet (ILSVRC 2012)")
    train = root / "train"
    folders = sorted(folder.name for folder in train.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    wrong = [name for name in folders if not re.fullmatch(r"n\d{8}", name)]
    if wrong or not folders:
        raise InputError(
            f"{train}: {f'folder {wrong[0]!r} is no wordnet id' if wrong else 'no folders'}; expected one folder per "
            "class, such as n01440764"
        )
    return train, folders
