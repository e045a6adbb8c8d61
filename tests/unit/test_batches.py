"""Batches are the same wherever the rows lie: on the device, in memory, or on the disk."""

import threading

import numpy as np
import pytest
import torch

from learnability.storage import batches
from learnability.storage.arrays import PackedWriter, open_packed
from learnability.storage.batches import Rows

CPU = torch.device("cpu")


@pytest.fixture
def packed(tmp_path) -> np.ndarray:
    with PackedWriter(tmp_path / "rows.npy", (6, 6, 3), "uint8") as writer:
        writer.write(np.random.default_rng(0).integers(0, 256, (50, 6, 6, 3), dtype=np.uint8))
    return open_packed(tmp_path / "rows.npy")


def rows_kept(monkeypatch, packed: np.ndarray, bytes_free: int, channels_last: bool = True) -> Rows:
    """The rows in the way they are kept when the host has that many bytes free."""
    monkeypatch.setattr(batches, "free_memory", lambda device: bytes_free)
    return Rows(packed, CPU, channels_last)


def resident_rows(packed: np.ndarray, channels_last: bool = True) -> Rows:
    """The rows in the way a GPU keeps them, here on a CPU."""
    rows = Rows(packed, CPU, channels_last, keep=False)
    rows.resident = torch.from_numpy(np.array(packed))
    return rows


@pytest.mark.parametrize("channels_last", [True, False])
def test_rows_give_the_same_batches_wherever_they_are_kept(monkeypatch, packed, channels_last):
    order = np.random.default_rng(1).permutation(50)[:37]
    resident = resident_rows(packed, channels_last)
    in_memory = rows_kept(monkeypatch, packed, 10**9, channels_last)
    streamed = rows_kept(monkeypatch, packed, 0, channels_last)
    assert in_memory.resident is streamed.resident is None
    assert isinstance(streamed.array, np.memmap)
    assert not isinstance(in_memory.array, np.memmap)
    for rows in (resident, in_memory, streamed):
        got = list(rows.batches(order, 8))
        assert [len(x) for x in got] == [8, 8, 8, 8, 5]
        expected = packed[order].transpose(0, 3, 1, 2) if channels_last else packed[order]
        np.testing.assert_array_equal(torch.cat(got).numpy(), expected)
        assert {x.stride() for x in got} == {next(resident.batches(order, 8)).stride()}  # the same layout too
        assert got[0].dtype == torch.uint8


def test_the_order_of_resident_rows_goes_to_the_device_at_once(monkeypatch, packed):
    rows, uploads = resident_rows(packed), []
    monkeypatch.setattr(torch.Tensor, "to", lambda tensor, device: uploads.append(tensor.shape) or tensor)
    assert len(list(rows.batches(np.arange(50), 8))) == 7
    assert uploads == [(50,)]


@pytest.mark.parametrize(
    ("device_free", "host_free", "kept"),
    [(0.5, 0.7, "resident"), (0.7, 0.5, "in memory"), (0.7, 0.7, "on the disk")],
)
def test_what_is_kept_depends_on_the_share_of_memory_that_is_free(monkeypatch, packed, device_free, host_free, kept):
    """`meta` stands in for a GPU; the numbers are the size of the rows as shares of the free memory."""
    size = packed.nbytes
    monkeypatch.setattr(
        batches, "free_memory", lambda device: int(size / (host_free if device.type == "cpu" else device_free))
    )
    rows = Rows(packed, torch.device("meta"), channels_last=True)
    assert (rows.resident is not None) == (kept == "resident")
    if kept != "resident":
        assert isinstance(rows.array, np.memmap) == (kept == "on the disk")


def test_rows_pass_through_the_host_block_by_block_on_their_way_to_a_gpu(monkeypatch, packed):
    read, whole = [], batches.read_packed
    monkeypatch.setattr(batches, "BLOCK", 7 * packed[0].nbytes + 5)
    monkeypatch.setattr(batches, "read_packed", lambda *given: read.append(len(rows := whole(*given))) or rows)
    np.testing.assert_array_equal(batches.on_device(packed, CPU).numpy(), packed)
    assert read == [7] * 7 + [1]
    monkeypatch.setattr(batches, "BLOCK", 1)  # less than a row
    np.testing.assert_array_equal(batches.on_device(packed, CPU).numpy(), packed)


@pytest.mark.parametrize(("host_free", "kept"), [(0.5, "in memory"), (0.7, "on the disk")])
def test_where_another_job_has_taken_the_memory_of_the_gpu_batches_are_read_ahead(
    monkeypatch, packed, capsys, host_free, kept
):
    """The other job takes it between the look at what is free and the copy; `meta` stands in for a GPU."""
    size, empty = packed.nbytes, torch.empty
    monkeypatch.setattr(batches, "free_memory", lambda device: int(size / (host_free if device.type == "cpu" else 0.5)))

    def taken(*shape, device="cpu", **given):
        if torch.device(device).type == "meta":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 27.00 GiB.")
        return empty(*shape, device=device, **given)

    monkeypatch.setattr(torch, "empty", taken)
    rows = Rows(packed, torch.device("meta"), channels_last=True)
    assert rows.resident is None
    assert isinstance(rows.array, np.memmap) == (kept == "on the disk")
    assert rows.held_bytes == 0
    said = (
        "rows.npy: not kept on the GPU, its batches are read ahead: CUDA out of memory. Tried to allocate 27.00 GiB.\n"
    )
    assert capsys.readouterr().out.endswith(said)
    assert [x.shape for x in rows.batches(np.arange(50), 30)] == [(30, 3, 6, 6), (20, 3, 6, 6)]


def test_what_is_resident_on_a_cpu_lies_in_memory_once(monkeypatch, packed):
    rows = rows_kept(monkeypatch, packed, int(packed.nbytes / 0.5))
    assert rows.resident is None
    assert type(rows.array) is np.ndarray
    assert rows.held_bytes == packed.nbytes
    assert isinstance(rows_kept(monkeypatch, packed, int(packed.nbytes / 0.7)).array, np.memmap)
    assert rows_kept(monkeypatch, packed, int(packed.nbytes / 0.7)).held_bytes == 0


def test_rows_that_are_not_kept_are_read_from_the_disk(packed):
    rows = Rows(packed, CPU, channels_last=True, keep=False)
    assert rows.resident is None
    assert isinstance(rows.array, np.memmap)
    np.testing.assert_array_equal(torch.cat(list(rows.batches(np.arange(50), 8))).numpy(), packed.transpose(0, 3, 1, 2))


def test_a_batch_larger_than_the_rows_holds_them_all(monkeypatch, packed):
    for free in (10**9, 0):
        (x,) = rows_kept(monkeypatch, packed, free).batches(np.arange(50), 512)
        assert x.shape == (50, 3, 6, 6)


@pytest.mark.parametrize("free", [10**9, 0], ids=["in memory", "on the disk"])
def test_a_batch_is_a_copy_that_may_be_changed(monkeypatch, packed, free):
    rows = rows_kept(monkeypatch, packed, free)
    for x in rows.batches(np.arange(50), 10):
        x.fill_(7)
    np.testing.assert_array_equal(next(rows.batches(np.array([3]), 1))[0].permute(1, 2, 0).numpy(), packed[3])


@pytest.mark.parametrize("free", [10**9, 0], ids=["in memory", "on the disk"])
def test_the_memory_of_a_batch_is_used_again_only_when_no_view_of_it_is_left(monkeypatch, packed, free):
    rows, made, kept, empty = rows_kept(monkeypatch, packed, free), [], [], np.empty
    monkeypatch.setattr(np, "empty", lambda shape, dtype: made.append(shape) or empty(shape, dtype))
    for i, x in enumerate(rows.batches(np.arange(50), 2)):
        if i in (3, 8):
            kept.append((i, x[1, :, 2:4]))  # the batch itself goes
    for i, view in kept:
        np.testing.assert_array_equal(view.permute(1, 2, 0).numpy(), packed[2 * i + 1, 2:4])
    # One is used, one ready, one being filled; a reader may not have let go of its own yet.
    assert set(made) == {(2, 6, 6, 3)}
    assert len(made) <= batches.AHEAD + 2 + len(kept) + 2


def test_a_row_that_does_not_exist_is_an_error(monkeypatch, packed):
    for rows in (rows_kept(monkeypatch, packed, 10**9), rows_kept(monkeypatch, packed, 0)):
        for order in ([0, 50], [3, -1]):
            with pytest.raises(IndexError, match="expected 0 to 49"):
                next(rows.batches(np.array(order), 2))


def test_batches_come_in_order_although_several_parts_are_read_at_once(monkeypatch, packed):
    """The first part waits until another has begun, and is the last to be read."""
    rows, begun = rows_kept(monkeypatch, packed, 0), threading.Semaphore(0)
    whole = batches.gather

    def gather(array, chunk, out):
        if chunk[0] == 0:
            assert begun.acquire(timeout=20)
        begun.release()
        whole(array, chunk, out)

    monkeypatch.setattr(batches, "gather", gather)
    got = torch.cat(list(rows.batches(np.arange(50), 8)))
    np.testing.assert_array_equal(got.numpy(), packed.transpose(0, 3, 1, 2))


def test_reading_ahead_ends_when_the_reader_stops(monkeypatch, packed):
    reader = rows_kept(monkeypatch, packed, 0).batches(np.arange(50), 4)
    next(reader)
    reader.close()
    assert list(reader) == []


def test_free_memory_is_measured():
    assert 10**7 < batches.free_memory(CPU) < 10**14
