"""Packed arrays and files that are written whole or not at all."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from learnability.errors import InputError
from learnability.storage.arrays import (
    PackedWriter,
    area_average,
    as_rgb,
    open_packed,
    read_packed,
    read_rows,
)
from learnability.storage.whole_files import written_whole
from tests.stopping import exit_code, in_child

ROWS = np.random.default_rng(0).integers(0, 256, (37, 4, 5, 3), dtype=np.uint8)


def pack(path: Path, rows: np.ndarray, chunk: int) -> PackedWriter:
    with PackedWriter(path, rows.shape[1:], rows.dtype.name) as writer:
        for start in range(0, len(rows), chunk):
            writer.write(rows[start : start + chunk])
    return writer


def pack_and_fail(path: Path, rows: np.ndarray, error: BaseException) -> None:
    with PackedWriter(path, rows.shape[1:], rows.dtype.name) as writer:
        writer.write(rows)
        raise error


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_packed_is_read_back_by_numpy(tmp_path):
    latents = np.random.default_rng(1).normal(size=(7, 4, 2, 2)).astype(np.float16)
    for rows in (ROWS, latents, latents[:0]):
        pack(tmp_path / "deep" / "rows.npy", rows, chunk=5)
        read = np.load(tmp_path / "deep" / "rows.npy", mmap_mode="r", allow_pickle=False)
        np.testing.assert_array_equal(read, rows)
        assert read.dtype == rows.dtype
        assert names(tmp_path / "deep") == ["rows.npy"]


def test_the_length_need_not_be_known_and_may_be_long(tmp_path):
    with PackedWriter(tmp_path / "rows.npy", (1,), "uint8") as writer:
        for _ in range(300):  # from one digit to six in the header
            writer.write(np.ones((1000, 1), np.uint8))
        assert names(tmp_path) != ["rows.npy"]  # not under its name before the end
    assert open_packed(tmp_path / "rows.npy").shape == (300_000, 1)
    assert writer.rows == 300_000


def test_rows_that_are_not_contiguous_are_written_in_their_order(tmp_path):
    pack(tmp_path / "rows.npy", ROWS[::-2].transpose(0, 2, 1, 3), chunk=4)
    np.testing.assert_array_equal(open_packed(tmp_path / "rows.npy"), ROWS[::-2].transpose(0, 2, 1, 3))


def test_rows_of_another_shape_or_dtype_are_refused_and_leave_nothing(tmp_path):
    for wrong in (ROWS.astype(np.int16), ROWS[:, :3], ROWS[..., 0]):
        with (
            pytest.raises(ValueError, match=r"rows.npy: rows .*, expected uint8\(4, 5, 3\)"),
            PackedWriter(tmp_path / "rows.npy", (4, 5, 3), "uint8") as writer,
        ):
            writer.write(wrong)
    assert names(tmp_path) == []


def test_an_error_in_the_block_keeps_the_old_file_and_leaves_no_other(tmp_path):
    pack(tmp_path / "rows.npy", ROWS, chunk=10)
    with pytest.raises(KeyboardInterrupt):
        pack_and_fail(tmp_path / "rows.npy", ROWS[:3], KeyboardInterrupt())
    assert names(tmp_path) == ["rows.npy"]
    np.testing.assert_array_equal(open_packed(tmp_path / "rows.npy"), ROWS)


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path):
    code = (
        "import os, signal, sys; from learnability.storage.arrays import PackedWriter; import numpy as np\n"
        "with PackedWriter(sys.argv[1], (2,), 'uint8') as writer:\n"
        "    writer.write(np.zeros((9, 2), np.uint8)); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "rows.npy")], env=environment(), check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = names(tmp_path)
    assert left.endswith(".tmp")
    (tmp_path / ".other.npy.host-1.tmp").touch()
    pack(tmp_path / "rows.npy", ROWS, chunk=10)
    assert names(tmp_path) == [".other.npy.host-1.tmp", "rows.npy"]


def test_the_temporary_of_a_living_writer_stays_and_an_old_one_of_another_machine_goes(tmp_path):
    here, alive = os.uname().nodename, os.getppid()
    stay = [f".rows.npy.{here}-{alive}.tmp", ".rows.npy.a-b.example-7.tmp"]
    for name in [*stay, ".rows.npy.elsewhere-7.tmp"]:
        (tmp_path / name).write_text("half")
    os.utime(tmp_path / ".rows.npy.elsewhere-7.tmp", (0, time.time() - 3700))
    pack(tmp_path / "rows.npy", ROWS, chunk=10)
    assert names(tmp_path) == sorted([*stay, "rows.npy"])


def test_two_writers_of_one_file_leave_it_whole(tmp_path):
    """The second begins and ends while the first writes."""

    def other():
        pack(tmp_path / "rows.npy", ROWS[:5], chunk=1)

    with PackedWriter(tmp_path / "rows.npy", ROWS.shape[1:], "uint8") as writer:
        writer.write(ROWS[:20])
        assert exit_code(in_child(other, tmp_path / "log")) == 0
        np.testing.assert_array_equal(open_packed(tmp_path / "rows.npy"), ROWS[:5])
        writer.write(ROWS[20:])
    np.testing.assert_array_equal(open_packed(tmp_path / "rows.npy"), ROWS)
    assert names(tmp_path) == ["log", "rows.npy"]


def environment() -> dict[str, str]:
    return {"PYTHONPATH": str(Path(__file__).parents[2] / "workflow" / "src"), "PATH": ""}


def test_a_full_disk_is_an_error_that_names_the_file_and_leaves_nothing(tmp_path, small_disk):
    # Few rows stay in the buffer until the end, many go to the disk at once: both must be noticed.
    for count in (3000, 300_000):
        rows = np.zeros((count, 1), np.uint8)
        with pytest.raises(OSError, match=r"rows\.npy could not be written: File too large") as caught:
            pack(tmp_path / "rows.npy", rows, chunk=count)
        assert caught.value.errno == errno.EFBIG
        assert names(tmp_path) == []


def test_a_full_disk_does_not_hide_the_error_that_came_first(tmp_path, small_disk):
    with pytest.raises(RuntimeError, match="first"):
        pack_and_fail(tmp_path / "rows.npy", np.zeros((3000, 1), np.uint8), RuntimeError("first"))
    assert names(tmp_path) == []


def test_a_text_is_written_whole_or_not_at_all(tmp_path, small_disk):
    with written_whole(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
    with pytest.raises(OSError, match=r"a\.txt could not be written"), written_whole(tmp_path / "a.txt") as temporary:
        temporary.write_text("x" * 3000)
    assert (tmp_path / "a.txt").read_text() == "whole"
    assert names(tmp_path) == ["a.txt"]


def test_the_digest_knows_content_shape_and_dtype_and_not_the_chunks(tmp_path):
    digest = pack(tmp_path / "a.npy", ROWS, chunk=5).digest
    assert pack(tmp_path / "b.npy", ROWS, chunk=37).digest == digest
    other = ROWS.copy()
    other[30, 1, 1, 1] ^= 1
    different = (other, ROWS[:-1], ROWS.reshape(37, 5, 4, 3), ROWS.view(np.int8), ROWS[::-1])
    assert digest not in [pack(tmp_path / "b.npy", rows, chunk=5).digest for rows in different]


@pytest.mark.parametrize("shape", [(), (5,), (3, 2, 2)])
@pytest.mark.parametrize("most", [10**6, 3], ids=["whole reads", "short reads"])
def test_rows_read_from_the_file_are_those_of_the_map(tmp_path, monkeypatch, shape, most):
    whole = os.preadv
    monkeypatch.setattr(os, "preadv", lambda file, buffers, at: whole(file, [buffers[0][:most]], at))
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(size=(20, *shape)).astype(np.float16))
    array = open_packed(tmp_path / "rows.npy")
    for rows in (np.array([7, 0, 19, 7, 3]), np.arange(20), np.array([], int)):
        read = np.zeros((len(rows), *shape), array.dtype)
        read_rows(array, rows, read)
        np.testing.assert_array_equal(read, array[rows])


def test_a_file_that_became_short_is_an_error_and_not_rows_of_zeros(tmp_path):
    np.save(tmp_path / "rows.npy", np.ones((20, 5), np.float32))
    array = open_packed(tmp_path / "rows.npy")
    os.truncate(tmp_path / "rows.npy", array.offset + 19 * 20 + 3)
    read = np.zeros((2, 5), np.float32)
    read_rows(array, np.array([18]), read[:1])
    np.testing.assert_array_equal(read[:1], np.ones((1, 5)))
    with pytest.raises(InputError, match=r"rows\.npy: shorter than its header says; delete it and run again"):
        read_rows(array, np.array([3, 19]), read)
    with pytest.raises(InputError, match=r"rows\.npy: shorter than its header says; delete it and run again"):
        read_packed(array)


def test_area_average_is_the_mean_of_each_block_rounded_half_up():
    image = np.array([[[0, 1, 10, 20], [0, 1, 30, 41], [255, 255, 3, 4], [255, 254, 4, 3]]], np.uint8)[..., None]
    # Means 0.5, 25.25, 254.75 and 3.5.
    np.testing.assert_array_equal(area_average(image, 2)[0, ..., 0], [[1, 25], [255, 4]])


def test_area_average_of_any_block_equals_the_exact_mean():
    images = np.random.default_rng(2).integers(0, 256, (3, 12, 24, 3), dtype=np.uint8)
    expected = np.empty((3, 4, 4, 3))
    for row in range(4):
        for column in range(4):
            block = images[:, 3 * row : 3 * row + 3, 6 * column : 6 * column + 6].astype(int)
            expected[:, row, column] = (2 * block.sum(axis=(1, 2)) + 18) // 36  # exact: floor of mean + 1/2
    np.testing.assert_array_equal(area_average(images, 4), expected)
    np.testing.assert_array_equal(area_average(images[:, :, :12], 12), images[:, :, :12])


def test_area_average_refuses_a_size_that_does_not_divide():
    with pytest.raises(ValueError, match="12 x 10 pixels cannot be averaged to 5: not a multiple"):
        area_average(np.zeros((1, 12, 10, 1), np.uint8), 5)


def test_grey_images_become_rgb_and_colour_images_stay():
    np.testing.assert_array_equal(as_rgb(ROWS[..., :1]), np.stack([ROWS[..., 0]] * 3, axis=3))
    assert as_rgb(ROWS) is ROWS
