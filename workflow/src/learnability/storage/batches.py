"""Batches of a packed array on the device: its rows stay on a GPU if they fit, else in memory, else on the disk."""

import itertools
import os
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import torch

from .arrays import read_packed, read_rows
from .memory_limits import SHARE, left_in_groups, left_of_request

# Decodes stored latents (n, C, h, w), given the sample_id of each (n), to uint8 images (n, 3, s, s).
Decode = Callable[[torch.Tensor, Sequence[str]], torch.Tensor]
READERS = 4  # threads that read a part of a batch each; they wait for the disk, not for a CPU
AHEAD = 1  # batches to read while one is used
BLOCK = 2**26  # bytes in one copy from the file through the host to a GPU


class Buffers:
    """Memory for batches of up to `shape` (n, ...); it is lent again once the batch and all views of it are gone.

    Fresh memory may cost a page fault for every page, and is never in a cache.
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype, pinned: bool):
        self.shape, self.dtype, self.pinned = shape, dtype, pinned
        self.free: deque[np.ndarray] = deque(maxlen=AHEAD + 2)  # one in use, the next ready, one being filled

    def lend(self, number: int) -> torch.Tensor:
        """Lend memory for `number` rows; its content is undefined."""
        if self.pinned:  # PyTorch reuses pinned memory itself once the device has read it
            return torch.empty((number, *self.shape[1:]), dtype=in_torch(self.dtype), pin_memory=True)
        whole = self.free.pop() if self.free else np.empty(self.shape, self.dtype)
        batch = whole[:number]  # every view of the tensor keeps this object alive
        weakref.finalize(batch, self.free.append, whole).atexit = False
        return torch.from_numpy(batch)


class Stacked:
    """The rows of several packed arrays, one array after another; they have one type and shape."""

    def __init__(self, *arrays: np.memmap):
        self.arrays, self.dtype, self.strides = arrays, arrays[0].dtype, arrays[0].strides
        self.filename, self.nbytes = arrays[0].filename, sum(array.nbytes for array in arrays)
        self.shape = (sum(map(len, arrays)), *arrays[0].shape[1:])

    def __len__(self) -> int:
        return self.shape[0]


ON_DISK = (np.memmap, Stacked)


class Rows:
    """Random batches of a packed array (N, ...); images (N, H, W, C) come out as (n, C, H, W).

    On a CPU, rows are kept in memory. `keep` False leaves memory to the network and reads every batch from the file.
    """

    def __init__(self, array: np.memmap | Stacked, device: torch.device, channels_last: bool, keep: bool = True):
        self.array, self.device, self.channels_last = array, device, channels_last
        self.resident = None
        if not keep:
            return
        if device.type != "cpu" and array.nbytes < SHARE * free_memory(device):
            self.resident = on_device(array, device)
        if self.resident is None:
            self._keep_on_the_host()

    def _keep_on_the_host(self) -> None:
        if self.array.nbytes < SHARE * free_memory(torch.device("cpu")):
            self.array = in_memory(self.array)

    def leave_gpu(self) -> bool:
        """Free a GPU of the rows, whose batches are read ahead from now on; returns whether they were there."""
        if self.resident is None:
            return False
        self.resident = None
        self._keep_on_the_host()
        return True

    @property
    def held_bytes(self) -> int:
        """Bytes of the device's memory that the rows take; 0 if they are read ahead."""
        if self.resident is not None:
            return self.resident.nbytes
        return self.array.nbytes if self.device.type == "cpu" and not isinstance(self.array, ON_DISK) else 0

    def batches(self, order: np.ndarray, batch_size: int) -> Iterator[torch.Tensor]:
        """Yield rows `order` (n,) in batches, in their stored dtype, on the device; each may be kept and changed."""
        if np.any((order < 0) | (order >= len(self.array))):
            raise IndexError(f"rows {order.min()} to {order.max()}, expected 0 to {len(self.array) - 1}")
        if self.resident is not None:
            way = self._resident
        else:
            at_hand = self.device.type == "cpu" and not isinstance(self.array, ON_DISK)
            way = self._copied if at_hand else self._read_ahead
        for rows in way(order, batch_size):
            # Only the axes are moved: a GPU's convolutions prefer this memory layout anyway.
            yield rows.permute(0, 3, 1, 2) if self.channels_last else rows

    def _resident(self, order: np.ndarray, batch_size: int) -> Iterator[torch.Tensor]:
        # The whole order goes in one copy, because the host waits for every copy of unpinned memory.
        for chunk in torch.from_numpy(order).to(self.device).split(batch_size):
            yield self.resident[chunk]

    def _copied(self, order: np.ndarray, batch_size: int) -> Iterator[torch.Tensor]:
        # No reading ahead: on a CPU a copy takes a hundredth of a step, and in threads nearly twice the time of a core.
        buffers = self._buffers(order, batch_size)
        for chunk in in_batches(order, batch_size):
            batch = buffers.lend(len(chunk))
            gather(self.array, chunk, batch.numpy())
            yield batch

    def _buffers(self, order: np.ndarray, batch_size: int) -> Buffers:
        shape = (min(batch_size, len(order)), *self.array.shape[1:])
        return Buffers(shape, self.array.dtype, pinned=self.device.type == "cuda")

    def _read_ahead(self, order: np.ndarray, batch_size: int) -> Iterator[torch.Tensor]:
        # All readers fill the same batch: with a batch for each, more batches would lie in memory.
        buffers = self._buffers(order, batch_size)
        with ThreadPoolExecutor(READERS) as pool:
            waiting: deque = deque()
            for chunk in in_batches(order, batch_size):
                waiting.append(self._begin(pool, chunk, buffers.lend(len(chunk))))
                if len(waiting) > AHEAD:
                    yield self._arrived(*waiting.popleft())
            while waiting:
                yield self._arrived(*waiting.popleft())

    def _begin(self, pool: ThreadPoolExecutor, chunk: np.ndarray, batch: torch.Tensor) -> tuple:
        parts = min(READERS, len(chunk)) or 1
        shares = zip(np.array_split(chunk, parts), np.array_split(batch.numpy(), parts), strict=True)
        return batch, [pool.submit(gather, self.array, *share) for share in shares]

    def _arrived(self, batch: torch.Tensor, parts: list[Future]) -> torch.Tensor:
        for part in parts:
            part.result()
        return batch.to(self.device, non_blocking=True)


class DecodedRows:
    """Batches of images decoded from rows of latents, as those of `Rows` over reconstructions.npy.

    On a CPU they are equal; a GPU may decode other numbers of images at once, and round a grey level differently.
    `ids` (N,) are the sample_ids of all rows.
    """

    def __init__(self, rows: Rows, ids: np.ndarray, decode: Decode):
        self.rows, self.ids, self.decode, self.device = rows, ids, decode, rows.device
        self.leave_gpu = rows.leave_gpu

    @property
    def held_bytes(self) -> int:
        """As of the latents."""
        return self.rows.held_bytes

    def batches(self, order: np.ndarray, batch_size: int) -> Iterator[torch.Tensor]:
        """Yield the images of rows `order` (n,) in batches, uint8 (n, 3, s, s), on the device."""
        start = 0
        for z in self.rows.batches(order, batch_size):
            yield self.decode(z, self.ids[order[start : start + len(z)]])
            start += len(z)


def free_memory(device: torch.device) -> int:
    """Bytes that this process may still take: of its share of a GPU, or of the host within the job's limits."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        share = int(total * torch.cuda.get_per_process_memory_fraction(device.index))
        return min(free, share - torch.cuda.memory_reserved(device))
    own = Path("/proc/self/cgroup")
    groups = left_in_groups(own.read_text() if own.is_file() else "", Path("/sys/fs/cgroup"))
    return min([psutil.virtual_memory().available, *groups, *left_of_request(os.environ)])


def on_device(array: np.memmap | Stacked, device: torch.device) -> torch.Tensor | None:
    """Copy a whole packed array to a GPU, block by block; None if its memory no longer suffices."""
    try:
        whole = torch.empty(array.shape, dtype=in_torch(array.dtype), device=device)
    except torch.OutOfMemoryError as error:  # another job took the memory after it was measured
        print(f"{array.filename}: not kept on the GPU, its batches are read ahead: {error}", flush=True)
        return None
    fill(whole, array)
    return whole


def in_memory(array: np.memmap | Stacked) -> np.ndarray:
    """The content of packed arrays; of several, without a second copy of any."""
    if isinstance(array, np.memmap):
        return read_packed(array)
    whole = np.empty(array.shape, array.dtype)
    fill(torch.from_numpy(whole), array)
    return whole


def fill(whole: torch.Tensor, array: np.memmap | Stacked) -> None:
    """Copy packed arrays from their files into `whole`, block by block."""
    rows = max(1, BLOCK // array.strides[0])
    for first, part in parts_of(array):
        for start in range(0, len(part), rows):
            block = torch.from_numpy(read_packed(part, start, rows))
            whole[first + start : first + start + len(block)].copy_(block)


def parts_of(array: np.memmap | Stacked) -> list[tuple[int, np.memmap]]:
    """The packed arrays behind rows, each with the number of its first row."""
    parts = array.arrays if isinstance(array, Stacked) else (array,)
    return list(zip(itertools.accumulate(map(len, parts), initial=0), parts, strict=False))


def in_torch(dtype: np.dtype) -> torch.dtype:
    """The dtype of NumPy as PyTorch names it."""
    return torch.from_numpy(np.empty(0, dtype)).dtype


def in_batches(order: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Split the rows `order` (n,) into batches; the last may be smaller."""
    return np.split(order, range(batch_size, len(order), batch_size))


def gather(array: np.ndarray | Stacked, rows: np.ndarray, out: np.ndarray) -> None:
    """Copy rows (n,) of packed arrays (N, ...) into `out` (n, ...), from their files if they are not in memory."""
    if isinstance(array, ON_DISK):
        for first, part in parts_of(array):
            own = np.flatnonzero((rows >= first) & (rows < first + len(part)))
            read_rows(part, rows[own] - first, out, own)
    else:
        # Several times as fast as indexing in PyTorch, which copies single elements; mode "raise" would copy twice.
        np.take(array, rows, axis=0, out=out, mode="clip")
