"""CARDIUM, fetal echocardiography: one folder per patient inside folds and classes (docs/datasets.md)."""

import re
from pathlib import Path

import pandas as pd

from ...errors import InputError
from ..names import own_groups, strip_columns
from ..published_counts import compare_counts
from ..source import Source, check_samples
from .files import image_names, listing_digest, read_image, resolve_root

OPENS_AT_ONCE = True
PUBLISHED_COUNTS = {"CHD": 1068, "Non_CHD": 5490}
CLASSES = list(PUBLISHED_COUNTS)  # alphabetical, the opposite of the dataset's own coding: `positive: CHD` is needed
PLACES = (".", "cardium_images_anon", "data/cardium_images_anon")


def open_source(entry: dict, threads: int = 1) -> Source:
    """Pool the training and test part of one official fold, which together are the whole set; groups are patients."""
    fold = find_fold(resolve_root(entry["root"]))
    files = [
        (part, label, patient.name, name)
        for part in ("train", "test")
        for label in CLASSES
        for patient in sorted((fold / part / label).iterdir())
        if patient.is_dir()
        for name in sort_by_number(patient, image_names(patient))
    ]
    rows = [(name.rpartition(".")[0], label, patient) for _, label, patient, name in files]
    samples = pd.DataFrame(rows, columns=["sample_id", "label_name", "group"], dtype=str)
    samples, stripped = strip_columns(samples)
    named = entry.get("missing_groups", [])
    samples["group"], missing = own_groups(samples["group"], samples["sample_id"], named, str(fold))
    check_samples(samples, str(fold))
    check_patients(samples, fold)
    channels = entry.get("channels", 3)

    def path(i: int) -> Path:
        return fold.joinpath(*files[i])

    return Source(
        samples=samples,
        classes=CLASSES,
        read=lambda i: read_image(path(i), channels),
        channels=channels,
        provenance={"folder": fold.name, "listing": listing_digest("/".join(file[1:]) for file in sorted(files))},
        grouped=True,
        grouped_by="patient folder",
        path=path,
        published=compare_counts(
            "CARDIUM's trimester_distribution.json", PUBLISHED_COUNTS, samples["label_name"].value_counts()
        ),
        names={"stripped": stripped, "missing_groups": missing},
    )


def find_fold(root: Path) -> Path:
    """Find the first official fold. Each fold holds every patient, so reading two would double the images."""
    folds = [fold for place in PLACES for fold in sorted((root / place).glob("fold_[123]"))]
    if not folds:
        raise InputError(
            f"{root}: no folder fold_1, fold_2 or fold_3 there or in {', '.join(PLACES[1:])}; expected CARDIUM as it "
            "is downloaded (docs/datasets.md): correct `root`"
        )
    missing = [f"{part}/{label}" for part in ("train", "test") for label in CLASSES]
    missing = [name for name in missing if not (folds[0] / name).is_dir()]
    if missing:
        raise InputError(
            f"{folds[0]}: {', '.join(missing)} missing; a fold holds train and test with {CLASSES} in each"
        )
    return folds[0]


def sort_by_number(folder: Path, names: list[str]) -> list[str]:
    """Sort by the integer before the underscore: 2_9.png comes before 10_9.png."""
    wrong = [name for name in names if not re.match(r"\d+_", name)]
    if wrong:
        raise InputError(f"{folder / wrong[0]}: expected <number>_<patient> as the name of an image; take it out")
    return sorted(names, key=lambda name: (int(name.partition("_")[0]), name))


def check_patients(samples: pd.DataFrame, fold: Path) -> None:
    """Refuse a patient that is in both classes, because the label belongs to the patient."""
    labels = samples.groupby("group")["label_name"].nunique()
    both = labels.index[labels > 1]
    if len(both):
        raise InputError(f"{fold}: {len(both)} patient(s) under both CHD and Non_CHD, the first is folder {both[0]!r}")
