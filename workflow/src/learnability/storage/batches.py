"""Batches of a packed array on the device: resident there when they fit, else in memory, else read ahead."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import torch

from .arrays import read_rows
from .memory_limits import left_in_groups, left_of_request

# Stored latents (n, C, h, w) and the sample_id of each (n) to uint8 images (n, 3, s, s).
Decode = Callable[[torch.Tensor, Sequence[str]], torch.Tensor]
READERS = 4  # threads that read ahead, a batch each; they wait for the disk, not for a CPU
SHARE = 0.6  # of the free memory that data may take; the rest is the network's


class Rows:
    """Random batches of a packed array (N, ...); images (N, H, W, C) come out as (n, C, H, W).

    `keep` False leaves all memory to the network, and every batch is read ahead from the array.
    """

    def __init__(self, array: np.ndarray, device: torch.device, channels_last: bool, keep: bool = True):
        self.array, self.device, self.channels_last = array, device, channels_last
        self.resident = None
        if not keep:
            return
        if array.nbytes < SHARE * free_memory(device):
            self.resident = torch.from_numpy(np.array(array)).to(device)
        elif array.nbytes < SHARE * free_memory(torch.device("cpu")):
            self.array = np.array(array)

    def batches(self, order: np.ndarray, batch_size: int) -> Iterator[torch.Tensor]:
        """Yield rows `order` (n,) in batches, in their stored dtype, on the device."""
        for rows in (self._read_ahead if self.resident is None else self._resident)(order, batch_size):
            # Moving axes instead of bytes: the memory layout is what a GPU's convolutions want anyway.
            yield rows.permute(0, 3, 1, 2) if self.channels_last else rows

    def _resident(self, order: np.ndarray, batch_size: int) -> Iterator[torch.Tensor]:
        # The whole order at once: the host waits for the device at every copy of memory that is not pinned.
        for chunk in torch.from_numpy(order).to(self.device).split(batch_size):
            yield self.resident[chunk]

    def _read_ahead(self, order: np.ndarray, batch_size: int) -> Iterator[torch.Tensor]:
        with ThreadPoolExecutor(READERS) as pool:
            waiting: deque = deque()
            for chunk in np.split(order, range(batch_size, len(order), batch_size)):
                waiting.append(pool.submit(self._gather, chunk))
                if len(waiting) > READERS:
                    yield waiting.popleft().result().to(self.device, non_blocking=True)
            while waiting:
                yield waiting.popleft().result().to(self.device, non_blocking=True)

    def _gather(self, chunk: np.ndarray) -> torch.Tensor:
        on_disk = isinstance(self.array, np.memmap)
        tensor = torch.from_numpy(read_rows(self.array, chunk) if on_disk else self.array[chunk])
        return tensor.pin_memory() if self.device.type == "cuda" else tensor


class DecodedRows:
    """Batches of images, decoded from rows of latents: what `Rows` over reconstructions.npy gives, nothing stored.

    `ids` (N,) are the sample_ids of all rows.
    """

    def __init__(self, rows: Rows, ids: np.ndarray, decode: Decode):
        self.rows, self.ids, self.decode, self.device = rows, ids, decode, rows.device

    def batches(self, order: np.ndarray, batch_size: int) -> Iterator[torch.Tensor]:
        """Yield the images of rows `order` (n,) in batches, uint8 (n, 3, s, s), on the device."""
        start = 0
        for z in self.rows.batches(order, batch_size):
            yield self.decode(z, self.ids[order[start : start + len(z)]])
            start += len(z)


def free_memory(device: torch.device) -> int:
    """Bytes that this process may take now, of its share of a GPU or of the host within the limits of the job."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        share = int(total * torch.cuda.get_per_process_memory_fraction(device.index))
        return min(free, share - torch.cuda.memory_reserved(device))
    own = Path("/proc/self/cgroup")
    groups = left_in_groups(own.read_text() if own.is_file() else "", Path("/sys/fs/cgroup"))
    return min([psutil.virtual_memory().available, *groups, *left_of_request(os.environ)])


def channel_moments(array: np.ndarray, rows: np.ndarray, block: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel of latents (N, C, h, w) over `rows`, accumulated in float64."""
    total = np.zeros(array.shape[1])
    square = np.zeros(array.shape[1])
    for start in range(0, len(rows), block):
        z = np.asarray(array[rows[start : start + block]], dtype=np.float64)
        total += z.sum(axis=(0, 2, 3))
        square += np.square(z).sum(axis=(0, 2, 3))
    number = len(rows) * array.shape[2] * array.shape[3]
    mean = total / number
    return mean, np.sqrt(np.maximum(square / number - mean**2, 0))
