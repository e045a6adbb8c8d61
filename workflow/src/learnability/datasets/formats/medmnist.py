"""MedMNIST and MedMNIST+: one .npz per set and size, as downloaded (docs/datasets.md)."""

import threading
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ...errors import InputError
from ...storage.contracts import digest
from ...study.words import counted
from ..published_counts import compare_counts
from ..source import Source, check_samples
from .files import resolve_root

OPENS_AT_ONCE = True
SPLITS = ("train", "val", "test")
KEPT = 64  # rows of a compressed array that are kept for slower threads
PUBLISHED_COUNTS = {  # MedMNIST 3.0.2
    "dermamnist": {"train": 7007, "val": 1003, "test": 2005},
    "pneumoniamnist": {"train": 4708, "val": 524, "test": 624},
    "chestmnist": {"train": 78468, "val": 11219, "test": 22433},
    "breastmnist": {"train": 546, "val": 78, "test": 156},
    "organamnist": {"images": 58830},
    "organcmnist": {"images": 23583},
    "organsmnist": {"images": 25211},
}


def open_source(entry: dict, threads: int = 1) -> Source:
    """Pool the three official splits; `classes` names the labels 0, 1, ... in this order.

    The files name no patient, scan or lesion, so every image is its own group and folds cannot keep patients apart.
    """
    path = resolve_root(entry["root"]) / entry["file"]
    images, label = open_file(path)
    sizes = {split: len(label[split]) for split in SPLITS}
    classes, codes, kept = decode_labels(np.concatenate([label[split] for split in SPLITS]), entry.get("classes"), path)
    ids = pd.Series([f"{path.stem}-{split}-{i:06d}" for split in SPLITS for i in range(sizes[split])], dtype=str)
    names = pd.Series(pd.array(classes, dtype="str").take(codes[kept]))
    ids = ids.iloc[kept].reset_index(drop=True)
    samples = pd.DataFrame({"sample_id": ids, "label_name": names, "group": ids})
    check_samples(samples, str(path))
    starts = np.cumsum([0, *sizes.values()])

    def read(i: int) -> np.ndarray:
        row = int(kept[i])
        split = int(np.searchsorted(starts, row, side="right")) - 1
        return images[SPLITS[split]].read(row - int(starts[split]))

    flag = path.stem.partition("_")[0]
    found = sizes | {"images": len(codes)}
    print(f"{path.name}: {len(codes) - len(kept)} of {len(codes)} rows without exactly one finding are left out")
    return Source(
        samples=samples,
        classes=classes,
        read=read,
        channels=images["train"].images.row_shape[2],
        provenance={"files": {path.name: archive_digest(path)}, "rows_without_one_finding": len(codes) - len(kept)},
        grouped_by="none in this file: every image its own group, folds do not keep patients apart",
        published=compare_counts("MedMNIST 3.0.2", PUBLISHED_COUNTS[flag], found) if flag in PUBLISHED_COUNTS else None,
    )


def open_file(path: Path) -> tuple[dict[str, "StoredRows | CompressedRows"], dict[str, np.ndarray]]:
    """The images and the labels (n, columns) of each split."""
    if not path.is_file():
        raise InputError(f"{path} does not exist; download it there (docs/datasets.md), or correct `file` or `root`")
    images, labels = {}, {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [f"{split}_{kind}" for split in SPLITS for kind in ("images", "labels")]
            missing = [name for name in missing if name not in archive.files]
            if missing:
                raise InputError(f"{path}: no {', '.join(missing)}; expected the .npz of a MedMNIST set")
            for split in SPLITS:
                labels[split] = archive[f"{split}_labels"]
                images[split] = open_images(path, f"{split}_images.npy", len(labels[split]))
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:  # pickled, cut short, or no archive
        raise InputError(f"{path}: {error}; download it again") from None
    return images, {split: each.reshape(len(each), -1) for split, each in labels.items()}


def archive_digest(path: Path) -> str:
    """SHA-256 of the names, sizes and check sums in an archive's directory, because the files have gigabytes."""
    with zipfile.ZipFile(path) as archive:
        return digest({info.filename: [info.file_size, info.CRC] for info in archive.infolist()})


def decode_labels(values: np.ndarray, names: list[str] | None, path: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Classes, label of each row, and the rows with exactly one label; `values` is (N, 1), or one-hot (N, K)."""
    if values.dtype.kind not in "buif" or not (np.isfinite(values) & (values == np.floor(values))).all():
        raise InputError(f"{path}: labels of {values.dtype} that are no whole numbers; expected 0, 1, ...")
    if values.shape[1] == 1:
        codes, kept = values[:, 0].astype(int), np.arange(len(values))
    else:
        if not np.isin(values, (0, 1)).all():
            raise InputError(f"{path}: labels in {values.shape[1]} columns with other values than 0 and 1")
        codes = values.argmax(axis=1)
        kept = np.flatnonzero((values != 0).sum(axis=1) == 1)
        if not len(kept):
            raise InputError(
                f"{path}: {counted(len(values), 'row')}, none with exactly one finding; nothing is left to classify"
            )
    number = values.shape[1] if values.shape[1] > 1 else int(codes.max(initial=0)) + 1
    names = names or [str(code) for code in range(number)]
    if len(names) != number or codes.min(initial=0) < 0:
        raise InputError(
            f"{path}: labels 0 to {number - 1}, but `classes` has {counted(len(names), 'name')}; name each label"
        )
    return list(names), codes, kept


@dataclass
class Images:
    """An image array (n, H, W) or (n, H, W, 3) inside an .npz: the size of a row, and where the first begins."""

    path: Path
    member: str
    row_shape: tuple[int, int, int]  # H, W, C
    start: int  # from the beginning of the member, behind its .npy header

    @property
    def row_bytes(self) -> int:
        return int(np.prod(self.row_shape))


def open_images(path: Path, member: str, expected: int) -> "StoredRows | CompressedRows":
    """Find an image array; its rows are then read without holding more than a few of them in memory."""
    with zipfile.ZipFile(path) as archive, archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read_header(file)
        start, compression = file.tell(), archive.getinfo(member).compress_type
    colour = len(shape) == 4 and shape[3] == 3
    if dtype != np.uint8 or fortran or not (len(shape) == 3 or colour) or shape[0] != expected:
        raise InputError(
            f"{path}: {member} is {dtype}{shape} for {expected} labels; expected uint8 (n, H, W) or (n, H, W, 3): a "
            "set of 2D images"
        )
    images = Images(path, member, (*shape[1:3], 3 if colour else 1), start)
    return StoredRows(images) if compression == zipfile.ZIP_STORED else CompressedRows(images)


class StoredRows:
    """Rows of an uncompressed array, read from their place in the file.

    This is no memory map, because the pages of all images would count as the job's memory.
    """

    def __init__(self, images: Images):
        self.images = images
        with zipfile.ZipFile(images.path) as archive:
            header = archive.getinfo(images.member).header_offset
        with images.path.open("rb") as file:
            file.seek(header + 26)
            name_and_extra = np.frombuffer(file.read(4), "<u2")  # their lengths, from the local header of 30 bytes
        self.start = header + 30 + int(name_and_extra.sum()) + images.start

    def read(self, i: int) -> np.ndarray:
        """Row i as uint8 (H, W, C)."""
        offset = self.start + i * self.images.row_bytes
        return np.fromfile(self.images.path, np.uint8, self.images.row_bytes, offset=offset).reshape(
            self.images.row_shape
        )


class CompressedRows:
    """Rows of a compressed array, read from one forward stream that several threads share.

    A row that was passed on the way to a later one is kept for its thread. If it was dropped again, because rows are
    read in another order, the stream starts over: slow, but right.
    """

    def __init__(self, images: Images):
        self.images, self.lock = images, threading.Lock()
        self.archive, self.stream, self.next, self.passed = zipfile.ZipFile(images.path), None, 0, {}
        self.broken_from, self.why = float("inf"), ""

    def read(self, i: int) -> np.ndarray:
        """Row i as uint8 (H, W, C)."""
        with self.lock:
            if i not in self.passed and i < self.broken_from:
                try:
                    self.go_to(i)
                except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                    self.broken_from, self.why = self.next, str(error)
            if i >= self.broken_from:
                raise OSError(f"{self.images.path}: {self.why}; broken from row {self.broken_from} on")
            return np.frombuffer(self.passed.pop(i), np.uint8).reshape(self.images.row_shape)

    def go_to(self, i: int) -> None:
        """Read on until row i has been passed."""
        if self.stream is None or i < self.next:
            self.stream, self.next = self.archive.open(self.images.member), 0
            self.stream.read(self.images.start)
        while self.next <= i:
            row = self.stream.read(self.images.row_bytes)
            if len(row) < self.images.row_bytes:
                raise EOFError(f"{self.images.member} ends at row {self.next}")
            self.passed[self.next] = row
            self.next += 1
            if len(self.passed) > KEPT:
                del self.passed[next(iter(self.passed))]
