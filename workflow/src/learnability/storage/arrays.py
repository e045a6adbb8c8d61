"""Packed arrays: one .npy per array, any batch read fast."""

import hashlib
import math
import mmap
import os
import sys
from pathlib import Path

import numpy as np

from ..errors import InputError
from .whole_files import written_whole

BLOCK = 2**24  # bytes read at once


class PackedFile:
    """Rows that are appended to a .npy file in order; `close` writes their number into the header.

    Uses plain writes and no memory map, so that a full disk raises an error with a name and does not kill the process.
    """

    def __init__(self, path: str | Path, row_shape: tuple[int, ...], dtype: str):
        self.path, self.row_shape, self.dtype = Path(path), tuple(row_shape), np.dtype(dtype)
        self.rows, self.hash, self._file = 0, hashlib.sha256(), None

    def begin(self, path: Path) -> None:
        """Begin to write, under the name `path`."""
        self._open(path, "w+b")

    def resume(self, path: Path, rows: int) -> None:
        """Continue after the first `rows` rows of `path` and cut off the rest; EOFError if there are fewer.

        A running SHA-256 cannot be stored, so these rows are read and hashed again. Only interrupted runs pay for that,
        while every run would pay for hashing the whole file at its end. It also shows whether the rows are sound.
        """
        self._open(path, "r+b")
        left = rows * math.prod(self.row_shape) * self.dtype.itemsize
        while left:
            data = self._file.read(min(left, BLOCK))
            if not data:
                raise EOFError(f"{path}: fewer than {rows} rows")
            self.hash.update(data)
            left -= len(data)
        self._file.truncate()
        self.rows = rows

    def _open(self, path: Path, mode: str) -> None:
        self._file = path.open(mode)
        self.rows, self.hash = 0, hashlib.sha256()
        self._write_header()
        self._start = self._file.tell()

    def write(self, rows: np.ndarray) -> None:
        """Append rows (n, *row_shape) of exactly the dtype that the file was opened with."""
        if rows.shape[1:] != self.row_shape or rows.dtype != self.dtype:
            raise ValueError(f"{self.path}: rows {rows.dtype}{rows.shape[1:]}, expected {self.dtype}{self.row_shape}")
        data = np.ascontiguousarray(rows).data
        self._file.write(data)
        self.hash.update(data)
        self.rows += len(rows)

    def keep(self, rows: np.ndarray) -> None:
        """Keep only these of the rows written so far; they are in ascending order."""
        size, self.hash, self.rows = math.prod(self.row_shape) * self.dtype.itemsize, hashlib.sha256(), len(rows)
        for i, row in enumerate(rows):
            self._file.seek(self._start + int(row) * size)
            data = self._file.read(size)
            self._file.seek(self._start + i * size)
            self._file.write(data)
            self.hash.update(data)
        self._file.truncate(self._start + len(rows) * size)

    def sync(self) -> None:
        """Force what was written to the disk, so that it survives a crash of the machine."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self, finished: bool = True) -> None:
        """Close the file if it is open; `finished` writes its length into the header."""
        if self._file is None or self._file.closed:
            return
        with self._file:
            if finished:
                self._file.seek(0)
                self._write_header()

    @property
    def digest(self) -> str:
        """SHA-256 of shape, dtype and content."""
        return digest_of_array(self.dtype, (self.rows, *self.row_shape), self.hash.digest())

    def _write_header(self) -> None:
        # NumPy pads the header so that the length of the first axis can be filled in later.
        header = {"descr": self.dtype.str, "fortran_order": False, "shape": (self.rows, *self.row_shape)}
        np.lib.format.write_array_header_1_0(self._file, header)


class PackedWriter(PackedFile):
    """A packed file that appears under its name only when it is complete."""

    def __enter__(self) -> "PackedWriter":
        self._whole = written_whole(self.path)
        self.begin(self._whole.__enter__())
        return self

    def __exit__(self, *error) -> None:
        try:
            self.close(finished=error[0] is None)
        except OSError:  # a full disk may show only when buffered rows are written
            error = error if error[0] else sys.exc_info()
        self._whole.__exit__(*error)


def digest_of_array(dtype: np.dtype, shape: tuple[int, ...], content: bytes) -> str:
    """SHA-256 of dtype, shape, and the SHA-256 of the content."""
    return hashlib.sha256(f"{dtype.str}{shape}".encode() + content).hexdigest()


def packed_digest(path: str | Path) -> str:
    """The digest of a packed array as its card states it, computed from the bytes of the file."""
    array, content = open_packed(path), hashlib.sha256()
    with open(path, "rb") as file:
        file.seek(array.offset)
        while data := file.read(BLOCK):
            content.update(data)
    return digest_of_array(array.dtype, array.shape, content.digest())


def open_packed(path: str | Path) -> np.ndarray:
    """Map a packed array (N, ...) into memory, read-only; InputError if its header is damaged."""
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError:
        raise
    except Exception as error:  # whatever a damaged header provokes
        raise InputError(f"{path}: damaged, no whole array ({error}); delete it and run again") from error
    if not array.ndim:
        raise InputError(f"{path}: damaged, an array without rows; delete it and run again")
    return array


def read_packed(array: np.memmap, start: int = 0, rows: int | None = None) -> np.ndarray:
    """Read rows from `start` on (all, or `rows`) from the file: pages of a memory map would count as memory."""
    part = array[start : len(array) if rows is None else start + rows]  # a view; it reads nothing
    read = np.fromfile(array.filename, array.dtype, part.size, offset=array.offset + start * array.strides[0])
    if read.size != part.size:
        raise cut_short(array)
    return read.reshape(part.shape)


def rows_from(array, start: int, stop: int) -> np.ndarray:
    """A copy of rows `start` to `stop`: of a whole packed array from its file, else of what gives arrays for slices."""
    if isinstance(getattr(array, "base", None), mmap.mmap):  # a part of a map does not say where it begins
        return read_packed(array, start, stop - start)
    return np.array(array[start:stop])


def read_rows(array: np.memmap, rows: np.ndarray, out: np.ndarray, places: np.ndarray | None = None) -> None:
    """Read rows (n,) of a whole packed array (N, ...) from its file into `out` (n, ...), contiguous: `array[rows]`.

    With `places` (n,), `out` may be longer: `out[places] = array[rows]`.

    A memory map would wait for the disk at every 4 kB that are not cached, one after another.
    """
    size, places = array.strides[0], range(len(rows)) if places is None else places
    content = out.reshape(-1).view(np.uint8).reshape(len(out), size)
    with open(array.filename, "rb", buffering=0) as file:
        for i in np.argsort(rows):  # the disk is read in one direction
            left, at = content[places[i]].data, array.offset + int(rows[i]) * size
            while left:  # a read may end early
                count = os.preadv(file.fileno(), [left], at)
                if not count:
                    raise cut_short(array)
                left, at = left[count:], at + count


def cut_short(array: np.memmap) -> InputError:
    return InputError(f"{array.filename}: shorter than its header says; delete it and run again")


def area_average(images: np.ndarray, size: int) -> np.ndarray:
    """Reduce uint8 images (N, H, W, C) to (N, size, size, C) by the mean of whole blocks, rounded half up."""
    number, height, width, channels = images.shape
    if height % size or width % size:
        raise ValueError(f"images of {height} x {width} pixels cannot be averaged to {size}: not a multiple")
    rows, columns = height // size, width // size
    # One axis after the other takes .15 to .62 of the time of both at once; whole numbers, so exact.
    total = images.reshape(number, size, rows, width * channels).sum(axis=2, dtype=np.uint32)
    total = total.reshape(number, size, size, columns, channels).sum(axis=3, dtype=np.uint32)
    area = rows * columns
    return ((total + area // 2) // area).astype(np.uint8)


def as_rgb(images: np.ndarray) -> np.ndarray:
    """Repeat the one channel of grey images (N, H, W, 1) three times; colour images pass through."""
    return np.repeat(images, 3, axis=3) if images.shape[3] == 1 else images
