"""Images through an autoencoder: read ahead, passed in batches that the device bears, and written meanwhile."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from ..storage.arrays import as_rgb
from ..storage.batches import free_memory
from ..storage.memory_limits import SHARE
from ..storage.partial_arrays import PartialArrays

# First batches of a GPU in one: a decoder's largest tensor then has half of the 2^31 values that can be indexed.
LARGEST = 4


class BatchSize:
    """Images that pass at once: on a CPU always `number`, so that the bytes are the same; on a GPU what it bears."""

    def __init__(self, number: int, device: torch.device):
        self.number, self.device, self.settled = number, device, device.type != "cuda"

    def passes(self, encode: Callable[..., object], x: torch.Tensor, start: int) -> Iterator[tuple[int, object]]:
        """Yield what `encode` makes of parts of x (n, ...), given each part's first row, and how many rows it has.

        A part for which the memory does not suffice is passed again by halves, and so are those after it.
        """
        while len(x):
            part, made = x[: self.number], None
            try:
                made = encode(part, start)
            except torch.OutOfMemoryError as error:
                if len(part) == 1:
                    raise
                self.number, self.settled = len(part) // 2, True
                print(f"{len(part)} images at once are too many, {self.number} from now on: {error}", flush=True)
            if made is None:  # here, because the error holds all tensors of the pass
                torch.cuda.empty_cache()
                continue
            self.settle(len(part))
            yield len(part), made
            start, x = start + len(part), x[len(part) :]

    def settle(self, passed: int) -> None:
        """After the first pass, of `passed` images, take as many times the first number as the memory has room for."""
        if self.settled:
            return
        self.settled = True
        room = SHARE * reachable(self.device) // taken(self.device) * passed
        self.number *= int(min(max(room // self.number, 1), LARGEST))
        print(f"{self.number} images at once", flush=True)


def reachable(device: torch.device) -> int:
    """Bytes of a GPU that a pass may take: those that are free, and those that PyTorch keeps from passes before."""
    return free_memory(device) + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def taken(device: torch.device) -> int:
    """Bytes of a GPU that passes took at most, beyond what is there still."""
    return torch.cuda.max_memory_allocated(device) - torch.cuda.memory_allocated(device) or 1


def encode_ahead(
    partial: PartialArrays,
    images: np.ndarray,
    batch: int,
    device: torch.device,
    encode: Callable[..., object],
    finish: Callable[[object], dict] = lambda rows: rows,
) -> None:
    """Write what `finish` makes of what `encode` makes of the images (N, H, W, C) that `partial` lacks.

    `encode` is given x (n, 3, H, W) and its first row, at first `batch` images. A thread reads one batch ahead, and
    another finishes, hashes and writes the last one: the device waits for neither. What they raise is raised here.
    """

    def read(start: int, number: int) -> torch.Tensor:
        x = torch.from_numpy(np.array(as_rgb(images[start : start + number])))
        return x.pin_memory() if device.type == "cuda" else x

    def write(made: object) -> None:
        partial.write(finish(made))

    size = BatchSize(batch, device)
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        start = partial.rows
        ahead, written = reader.submit(read, start, size.number), writer.submit(int)
        while start < len(images):
            x = ahead.result().to(device, non_blocking=True).permute(0, 3, 1, 2)
            ahead = reader.submit(read, start + len(x), size.number)
            for passed, made in size.passes(encode, x, start):
                written.result()  # one batch at most waits to be written
                written = writer.submit(write, made)
                start += passed
        written.result()
