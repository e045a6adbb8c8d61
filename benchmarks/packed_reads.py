"""How much faster random batches come from one packed file than from a file per sample; prints the ratio.

python benchmarks/packed_reads.py [--samples 4000]
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "workflow" / "src"))

from learnability.storage import batches
from learnability.storage.arrays import PackedWriter, open_packed

SHAPE, BATCH = (16, 64, 64), 256


def seconds_per_epoch(read) -> float:
    started = time.perf_counter()
    read()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=4000)
    number = parser.parse_args().samples
    latents = np.random.default_rng(0).standard_normal((number, *SHAPE)).astype(np.float16)
    order = np.random.default_rng(1).permutation(number)
    with tempfile.TemporaryDirectory() as folder:
        with PackedWriter(Path(folder, "latents.npy"), SHAPE, "float16") as writer:
            writer.write(latents)
        for i, latent in enumerate(latents):
            torch.save(torch.from_numpy(latent), Path(folder, f"{i}.pt"))
        batches.free_memory = lambda device: 0  # neither resident nor in memory: read from the file
        rows = batches.Rows(open_packed(Path(folder, "latents.npy")), torch.device("cpu"), channels_last=False)

        def from_files() -> None:
            for start in range(0, number, BATCH):
                torch.stack(
                    [torch.load(Path(folder, f"{i}.pt"), weights_only=True) for i in order[start : start + BATCH]]
                )

        packed = seconds_per_epoch(lambda: list(rows.batches(order, BATCH)))
        files = seconds_per_epoch(from_files)
    print(f"packed {number / packed:,.0f} samples/s, file per sample {number / files:,.0f} samples/s")
    print(f"ratio {files / packed:.1f}")


if __name__ == "__main__":
    main()
