"""Files that are written whole or not at all, and packed arrays: one .npy per array, any batch read fast."""

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; it takes the name `path` only if the block ends without an error.

    Left-overs of a writer that was killed are removed, so that nothing half-written stays.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for stale in path.parent.glob(f".{path.name}.*.tmp"):
        stale.unlink(missing_ok=True)
    temporary = path.with_name(f".{path.name}.{os.uname().nodename}-{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise OSError(error.errno, f"{path} could not be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


class PackedWriter:
    """Appends rows to a .npy file in order; the file appears under its name, with its true length, at the end.

    Plain writes and not a memory map: a full disk is then an error with a name, not a killed process.
    """

    def __init__(self, path: str | Path, row_shape: tuple[int, ...], dtype: str):
        self.path, self.row_shape, self.dtype = Path(path), tuple(row_shape), np.dtype(dtype)
        self.rows, self.hash = 0, hashlib.sha256()

    def __enter__(self) -> "PackedWriter":
        self._whole = written_whole(self.path)
        self._file = self._whole.__enter__().open("wb")
        self._write_header()
        return self

    def write(self, rows: np.ndarray) -> None:
        """Append rows (n, *row_shape) of exactly the dtype that the file was opened with."""
        if rows.shape[1:] != self.row_shape or rows.dtype != self.dtype:
            raise ValueError(f"{self.path}: rows {rows.dtype}{rows.shape[1:]}, expected {self.dtype}{self.row_shape}")
        data = np.ascontiguousarray(rows).data
        self._file.write(data)
        self.hash.update(data)
        self.rows += len(rows)

    def __exit__(self, *error) -> None:
        try:
            with self._file:
                if error[0] is None:
                    self._file.seek(0)
                    self._write_header()
        except OSError:  # a full disk may show only here, when what is buffered is written
            error = error if error[0] else sys.exc_info()
        self._whole.__exit__(*error)

    @property
    def digest(self) -> str:
        """SHA-256 of shape, dtype and content."""
        description = f"{self.dtype.str}{(self.rows, *self.row_shape)}".encode()
        return hashlib.sha256(description + self.hash.digest()).hexdigest()

    def _write_header(self) -> None:
        # NumPy pads the header so that the length of the first axis can be filled in later.
        header = {"descr": self.dtype.str, "fortran_order": False, "shape": (self.rows, *self.row_shape)}
        np.lib.format.write_array_header_1_0(self._file, header)


def open_packed(path: str | Path) -> np.ndarray:
    """Map a packed array (N, ...) into memory, read-only."""
    return np.load(path, mmap_mode="r", allow_pickle=False)


def area_average(images: np.ndarray, size: int) -> np.ndarray:
    """Reduce uint8 images (N, H, W, C) to (N, size, size, C) by the mean of whole blocks, rounded half up."""
    number, height, width, channels = images.shape
    if height % size or width % size:
        raise ValueError(f"images of {height} x {width} pixels cannot be averaged to {size}: not a multiple")
    rows, columns = height // size, width // size
    blocks = images.reshape(number, size, rows, size, columns, channels)
    total = blocks.sum(axis=(2, 4), dtype=np.uint32)
    area = rows * columns
    return ((total + area // 2) // area).astype(np.uint8)


def as_rgb(images: np.ndarray) -> np.ndarray:
    """Repeat the one channel of grey images (N, H, W, 1) three times; colour images pass through."""
    return np.repeat(images, 3, axis=3) if images.shape[3] == 1 else images
