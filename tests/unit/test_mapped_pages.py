"""What goes over a packed array reads its file: pages of a memory map count as memory, up to the size of the file."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from learnability.autoencoders.ahead import encode_ahead
from learnability.autoencoders.views import Copies
from learnability.diagnostics.images import AtGrid
from learnability.diagnostics.latents import blocks
from learnability.storage.arrays import PackedWriter, open_packed, rows_from

NUMBER, SIDE = 37, 64


class Written:
    """A partial array that keeps the numbers of the images, which are all that they show."""

    def __init__(self):
        self.rows, self.numbers = 0, []

    def write(self, made: list[int]) -> None:
        self.rows, self.numbers = self.rows + len(made), self.numbers + made


def encoded(images) -> list[int]:
    written = Written()
    encode_ahead(written, images, 4, torch.device("cpu"), lambda x, start: x[:, 0, 0, 0].tolist())
    return written.numbers


def seen(array) -> list[int]:
    return [number for block in blocks(array, 8) for number in block.flatten(1)[:, 0].tolist()]


READERS = {
    "an encoding": encoded,
    "one of copies": lambda images: encoded(Copies(images, 3))[::3],
    "a diagnosis of latents": seen,
    "a diagnosis of images": lambda images: seen(AtGrid(images, 16)),
}


@pytest.fixture
def path(tmp_path) -> Path:
    """A file of images, each in the grey of its number; an image is three pages."""
    with PackedWriter(tmp_path / "images.npy", (SIDE, SIDE, 3), "uint8") as writer:
        writer.write(np.arange(NUMBER, dtype=np.uint8)[:, None, None, None] * np.ones((1, SIDE, SIDE, 3), np.uint8))
    return tmp_path / "images.npy"


def mapped_kilobytes(path: Path) -> int:
    """How much of a file this process holds by memory maps."""
    maps = Path("/proc/self/smaps").read_text()
    own = re.findall(rf"^\S+-\S+ .* {re.escape(str(path))}\n(?:\w+: .*\n)*?Rss: +(\d+) kB", maps, flags=re.MULTILINE)
    return sum(map(int, own))


@pytest.mark.skipif(not Path("/proc/self/smaps").is_file(), reason="Linux says what is mapped")
@pytest.mark.parametrize("reader", READERS)
def test_no_page_of_the_map_is_read(path, reader):
    images = open_packed(path)
    assert READERS[reader](images) == list(range(NUMBER))
    assert mapped_kilobytes(path) == 0
    assert images[-1, 0, 0, 0] == NUMBER - 1  # now one is
    assert mapped_kilobytes(path) > 0


def test_a_part_of_a_map_gives_its_own_rows(tmp_path):
    with PackedWriter(tmp_path / "rows.npy", (2,), "int64") as file:
        file.write(np.arange(20).reshape(10, 2))
    array = open_packed(tmp_path / "rows.npy")
    for whole in (array, array[3:], array[::2], np.array(array)):
        np.testing.assert_array_equal(rows_from(whole, 1, 3), np.array(whole)[1:3])
