"""Peak memory of preparing, encoding and training at N and 4 N rows: only what is kept should grow.

    python benchmarks/memory.py [--rows 4000]

Each runs in its own process; figures are resident memory, with libraries. Growth is relative to that of the arrays.
Preparing writes one array; encoding reads one and writes two; a training keeps its array in memory or on the disk.
"""

import argparse
import contextlib
import functools
import resource
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "workflow" / "src"))

from noise_study import CELL, SMALL, write_images, write_latents
from ratio import Ratio, as_markdown

from learnability.autoencoders.encode import encode_dataset
from learnability.datasets.prepare import prepare_dataset
from learnability.storage import batches
from learnability.study.configuration import read_config
from learnability.study.recipes import resolve_recipe
from learnability.training.engine import train_classifier

DEMO = Path(__file__).parent.parent / "workflow/studies/demo.yaml"
LATENT, SIDE = (16, 32, 32), 64
TAESD = {"class": "AutoencoderTiny", "role": "family", "channels": 4, "factor": 8}


def prepare(folder: Path, rows: int) -> float:
    """Prepare phantoms; returns the megabytes written."""
    groups = dict.fromkeys(("nevus", "melanoma", "keratosis", "vascular"), rows // 16)
    entry = read_config(DEMO)["datasets"]["phantom_skin"] | {"groups": groups, "images_per_group": [4, 4]}
    prepare_dataset("noise", entry, SIDE, SIDE // 2, 5, folder, threads=1)
    return (folder / "images.npy").stat().st_size / 1e6


def encode(folder: Path, rows: int) -> float:
    """Encode and decode with a tiny autoencoder; returns the megabytes read and written."""
    import diffusers

    widths = {"encoder_block_out_channels": (8,) * 4, "decoder_block_out_channels": (8,) * 4}
    diffusers.AutoencoderTiny(**widths).save_pretrained(folder / "weights")
    write_images(folder, rows, SIDE)
    entry = TAESD | {"source": str(folder / "weights")}
    encode_dataset("noise", entry, folder, folder / "encoding", torch.device("cpu"))
    arrays = ("images.npy", "encoding/latents.npy", "encoding/reconstructions.npy")
    return sum((folder / name).stat().st_size for name in arrays) / 1e6


def train(folder: Path, rows: int, on_disk: bool) -> float:
    """Train an epoch; returns the megabytes of its array."""
    if on_disk:
        batches.free_memory = lambda device: 0
    recipe = resolve_recipe(read_config(), "latent").with_values(SMALL)
    inputs = write_latents(folder, rows, LATENT)
    train_classifier(CELL, recipe, 0, 5, "benchmark", inputs, folder / "run", torch.device("cpu"))
    return (folder / "latents.npy").stat().st_size / 1e6


def peak_of(work: Callable[[Path, int], float], rows: int) -> tuple[float, float]:
    """Peak megabytes of this process, which does nothing else, and the megabytes of what was worked on."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        size = work(Path(folder), rows)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, size


def ratios(rows: int = 4000) -> list[Ratio]:
    kinds = {
        "prepare": (prepare, "at most 0.1"),
        "encode": (encode, "at most 0.3"),
        "train, array in memory": (functools.partial(train, on_disk=False), "at most 1.2"),
        "train, array on the disk": (functools.partial(train, on_disk=True), "at most 0.1"),
    }
    found = []
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        for name, (work, goal) in kinds.items():
            (few, size), (many, size4) = (processes.submit(peak_of, work, n).result() for n in (rows, 4 * rows))
            detail = f"{few:.0f} to {many:.0f} MB, array {size:.0f} to {size4:.0f} MB"
            found.append(
                Ratio(f"memory of {name}: growth", "growth of its array", (many - few) / (size4 - size), goal, detail)
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=4000)
    print(as_markdown(ratios(parser.parse_args().rows)))


if __name__ == "__main__":
    main()
