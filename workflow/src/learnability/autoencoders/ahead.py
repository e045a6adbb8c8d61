"""Passes images through an autoencoder in batches that fit the memory; reads ahead, and writes meanwhile."""

import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from ..storage.arrays import as_rgb, rows_from
from ..storage.out_of_memory import ran_out_of_gpu_memory
from ..storage.partial_arrays import PartialArrays


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
    Where the memory does not suffice, batches are halved for all that is not yet written.
    """
    while True:
        try:
            return pass_on(partial, images, batch, device, encode, finish)
        except RuntimeError as error:
            if batch == 1 or not ran_out_of_gpu_memory(error):
                raise
            print(f"{batch} images at once are too many, {batch // 2} from now on: {error}", flush=True)
            # The error holds all tensors of the pass, and where it came from the writer, its Future holds the error.
            traceback.clear_frames(error.__traceback__)
            batch //= 2
        torch.cuda.empty_cache()


def pass_on(
    partial: PartialArrays,
    images: np.ndarray,
    batch: int,
    device: torch.device,
    encode: Callable[..., object],
    finish: Callable[[object], dict],
) -> None:
    """As encode_ahead, in batches of `batch` images alone; an error leaves whole batches in `partial`."""

    def read(start: int) -> torch.Tensor:
        x = torch.from_numpy(as_rgb(rows_from(images, start, start + batch)))
        return x.pin_memory() if device.type == "cuda" else x

    def write(made: object) -> None:
        partial.write(finish(made))

    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        first = partial.rows
        ahead, written = reader.submit(read, first), writer.submit(int)
        for start in range(first, len(images), batch):
            x = ahead.result()
            ahead = reader.submit(read, start + batch)
            try:
                made = encode(x.to(device, non_blocking=True).permute(0, 3, 1, 2), start)
            except RuntimeError:
                written.result()  # what ends the writing ends the encoding
                raise
            written.result()  # one batch at most waits to be written
            written = writer.submit(write, made)
        written.result()
