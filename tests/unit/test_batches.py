"""Batches are the same wherever the rows lie: on the device, in memory, or on the disk."""

import threading

import numpy as np
import pytest
import torch

from learnability.storage import batches
from learnability.storage.arrays import PackedWriter, open_packed
from learnability.storage.batches import Rows, channel_moments

CPU = torch.device("cpu")


@pytest.fixture
def packed(tmp_path) -> np.ndarray:
    with PackedWriter(tmp_path / "rows.npy", (6, 6, 3), "uint8") as writer:
        writer.write(np.random.default_rng(0).integers(0, 256, (50, 6, 6, 3), dtype=np.uint8))
    return open_packed(tmp_path / "rows.npy")


def rows_kept(monkeypatch, packed: np.ndarray, bytes_free: list[int], channels_last: bool = True) -> Rows:
    """Rows as they are kept when the device, then the host, has that many bytes free."""
    answers = iter(bytes_free)
    monkeypatch.setattr(batches, "free_memory", lambda device: next(answers))
    return Rows(packed, CPU, channels_last)


@pytest.mark.parametrize("channels_last", [True, False])
def test_rows_give_the_same_batches_wherever_they_are_kept(monkeypatch, packed, channels_last):
    order = np.random.default_rng(1).permutation(50)[:37]
    resident = rows_kept(monkeypatch, packed, [10**9], channels_last)
    in_memory = rows_kept(monkeypatch, packed, [0, 10**9], channels_last)
    streamed = rows_kept(monkeypatch, packed, [0, 0], channels_last)
    assert resident.resident is not None
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
    rows, uploads = rows_kept(monkeypatch, packed, [10**9]), []
    monkeypatch.setattr(torch.Tensor, "to", lambda tensor, device: uploads.append(tensor.shape) or tensor)
    assert len(list(rows.batches(np.arange(50), 8))) == 7
    assert uploads == [(50,)]


def test_what_is_kept_depends_on_the_share_of_memory_that_is_free(monkeypatch, packed):
    size = packed.nbytes
    assert rows_kept(monkeypatch, packed, [int(size / 0.5)]).resident is not None
    assert rows_kept(monkeypatch, packed, [int(size / 0.7), 0]).resident is None


def test_rows_that_are_not_kept_are_read_from_the_disk(packed):
    rows = Rows(packed, CPU, channels_last=True, keep=False)
    assert rows.resident is None
    assert isinstance(rows.array, np.memmap)
    np.testing.assert_array_equal(torch.cat(list(rows.batches(np.arange(50), 8))).numpy(), packed.transpose(0, 3, 1, 2))


def test_a_batch_larger_than_the_rows_holds_them_all(monkeypatch, packed):
    for free in ([10**9], [0, 0]):
        (x,) = rows_kept(monkeypatch, packed, free).batches(np.arange(50), 512)
        assert x.shape == (50, 3, 6, 6)


def test_a_batch_is_a_copy_that_may_be_changed(monkeypatch, packed):
    for free in ([10**9], [0, 10**9], [0, 0]):
        rows = rows_kept(monkeypatch, packed, free)
        for x in rows.batches(np.arange(50), 10):
            x.fill_(7)
        np.testing.assert_array_equal(next(rows.batches(np.array([3]), 1))[0].permute(1, 2, 0).numpy(), packed[3])


def test_batches_come_in_order_although_several_are_read_at_once(monkeypatch, packed):
    """The first waits until another has begun, and is the last to be read."""
    rows, begun = rows_kept(monkeypatch, packed, [0, 0]), threading.Semaphore(0)
    whole = Rows._gather

    def gather(self, chunk):
        if chunk[0] == 0:
            assert begun.acquire(timeout=20)
        begun.release()
        return whole(self, chunk)

    monkeypatch.setattr(Rows, "_gather", gather)
    got = torch.cat(list(rows.batches(np.arange(50), 8)))
    np.testing.assert_array_equal(got.numpy(), packed.transpose(0, 3, 1, 2))


def test_reading_ahead_ends_when_the_reader_stops(monkeypatch, packed):
    reader = rows_kept(monkeypatch, packed, [0, 0]).batches(np.arange(50), 4)
    next(reader)
    reader.close()
    assert list(reader) == []


def test_moments_are_those_of_the_given_rows_alone_and_not_of_blocks():
    latents = np.random.default_rng(2).normal(3, 2, (40, 4, 5, 5)).astype(np.float16)
    latents[:, 1] *= 100
    rows = np.arange(3, 40, 2)
    mean, std = channel_moments(latents, rows, block=7)
    chosen = latents[rows].astype(np.float64)
    np.testing.assert_allclose(mean, chosen.mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(std, chosen.std(axis=(0, 2, 3)), rtol=1e-9)


def test_free_memory_is_measured():
    assert 10**7 < batches.free_memory(CPU) < 10**14
