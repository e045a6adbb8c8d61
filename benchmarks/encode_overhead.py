"""The cost of encode_dataset beyond the autoencoder: its time relative to bare forward passes, and its memory.

    python benchmarks/encode_overhead.py [--source FOLDER --class AutoencoderTiny] [--size 128] [--images 200]

Without a source, it takes two architectures with random weights: that of TAESD, and a tiny one, compared with which
all else is large. The images are noise, which costs a network as much as real images. Figures are medians of
repetitions; both parts are measured in turns in this process.
"""

import argparse
import contextlib
import io
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "workflow" / "src"))

from noise_study import write_images
from ratio import Ratio, as_markdown

from learnability.autoencoders.encode import encode_dataset, images_a_pass
from learnability.autoencoders.interface import load_autoencoder
from learnability.storage.arrays import open_packed
from learnability.workflow.jobs import keep_freed_memory


def save_untrained(kind: str, folder: Path) -> dict:
    """Save an architecture with random weights in `folder`; returns its entry of the configuration."""
    import diffusers

    widths = {"tiny": dict.fromkeys(("encoder_block_out_channels", "decoder_block_out_channels"), (8,) * 4)}
    diffusers.AutoencoderTiny(**widths.get(kind, {})).save_pretrained(folder)
    return {"class": "AutoencoderTiny", "source": str(folder)}


@torch.inference_mode()
def forward_passes(autoencoder, dataset: Path, device: torch.device) -> float:
    """Seconds of bare encode and decode in the batches of encode_dataset; nothing is read back or kept."""
    images = open_packed(dataset / "images.npy")
    batch = images_a_pass(images.shape[1], device)
    started = time.perf_counter()
    for start in range(0, len(images), batch):
        x = torch.from_numpy(np.array(images[start : start + batch])).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
        autoencoder.decode(autoencoder.encode(x))
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def measure(name: str, entry: dict, size: int, images: int, repetitions: int, folder: Path) -> Ratio:
    """Compare encode_dataset with the bare passes of an autoencoder, on the available device, with a job's memory."""
    keep_freed_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    entry = entry | {"role": "family", "factor": 8}
    autoencoder = load_autoencoder(entry, device)
    entry |= {"channels": autoencoder.channels, "factor": autoencoder.factor}
    write_images(folder, images, size)
    forward_passes(autoencoder, folder, device)  # warm-up
    seconds = []
    for i in range(repetitions):
        bare = forward_passes(autoencoder, folder, device)
        started = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            encode_dataset("benchmark", entry, folder, folder / f"encoding{i}", device)
        seconds.append((time.perf_counter() - started, bare))
    whole, bare = sorted(seconds, key=lambda pair: pair[0] / pair[1])[len(seconds) // 2]
    detail = f"{images} images of {size} px: {whole:.2f} s, passes {bare:.2f} s"
    return Ratio(f"encode_dataset, {name}", "bare passes", whole / bare, "at most 1.10", detail)


def ratios(repetitions: int = 3) -> list[Ratio]:
    found = []
    for kind, size, images in (("TAESD", 128, 64), ("tiny", 128, 400)):
        with tempfile.TemporaryDirectory() as folder:
            entry = save_untrained(kind, Path(folder) / "weights")
            found.append(measure(kind, entry, size, images, repetitions, Path(folder)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", help="folder in diffusers format")
    parser.add_argument("--class", dest="family", default="AutoencoderKL")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--repetitions", type=int, default=3)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("high")
    if not chosen.source:
        return print(as_markdown(ratios(chosen.repetitions)))
    entry = {"class": chosen.family, "source": chosen.source}
    with tempfile.TemporaryDirectory() as folder:
        print(measure(chosen.source, entry, chosen.size, chosen.images, chosen.repetitions, Path(folder)).detail)


if __name__ == "__main__":
    main()
