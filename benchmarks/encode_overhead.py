"""What encode_dataset costs beyond the autoencoder: its time over that of the bare forward passes, and its memory.

    python benchmarks/encode_overhead.py [--source FOLDER --class AutoencoderTiny] [--size 128] [--images 200]

Without a source: the published architecture of SD 1.4's autoencoder with random weights. The images are noise, which
costs a network what any image costs. Prints one ratio per repetition, both parts measured in this process.
"""

import argparse
import contextlib
import io
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "workflow" / "src"))

from learnability.autoencoders.encode import GPU_FACTOR, PIXELS, encode_dataset
from learnability.autoencoders.interface import load_autoencoder
from learnability.storage.arrays import PackedWriter, open_packed
from learnability.storage.contracts import SAMPLES, write_json, write_parquet


def write_images(folder: Path, number: int, size: int) -> None:
    """What prepare_dataset would write, of noise, a block at a time."""
    random = np.random.default_rng(0)
    with PackedWriter(folder / "images.npy", (size, size, 3), "uint8") as writer:
        for _ in range(number):
            writer.write(random.integers(0, 256, (1, size, size, 3), np.uint8))
    names = [f"image{i}" for i in range(number)]
    samples = pd.DataFrame({"sample_id": names, "label": 0, "label_name": "noise", "group": names})
    write_parquet(samples[SAMPLES], folder / "samples.parquet")
    sizes = {"image_size": size, "classifier_size": size // 2}
    write_json({"dataset": "noise", "digest": writer.digest, "synthetic": True} | sizes, folder / "dataset.json")


def save_sd(folder: Path) -> dict:
    """The architecture of SD 1.4's autoencoder, 83,653,863 random weights."""
    import diffusers

    levels = {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "latent_channels": 4}
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    diffusers.AutoencoderKL(**levels, **blocks).save_pretrained(folder)
    return {"class": "AutoencoderKL", "source": str(folder)}


@torch.inference_mode()
def forward_passes(autoencoder, dataset: Path, device: torch.device) -> float:
    """Seconds of encode and decode alone, in the batches of encode_dataset; nothing is read back or kept."""
    images = open_packed(dataset / "images.npy")
    batch = max(1, PIXELS * (GPU_FACTOR if device.type == "cuda" else 1) // images.shape[1] ** 2)
    started = time.perf_counter()
    for start in range(0, len(images), batch):
        x = torch.from_numpy(np.array(images[start : start + batch])).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
        autoencoder.decode(autoencoder.encode(x))
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", help="folder in diffusers format")
    parser.add_argument("--class", dest="family", default="AutoencoderKL")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--repetitions", type=int, default=3)
    chosen = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("high")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        named = {"class": chosen.family, "source": chosen.source}
        entry = (named if chosen.source else save_sd(folder / "weights")) | {"role": "family", "factor": 8}
        autoencoder = load_autoencoder(entry, device)
        entry |= {"channels": autoencoder.channels, "factor": autoencoder.factor}
        write_images(folder, chosen.images, chosen.size)
        forward_passes(autoencoder, folder, device)  # warm-up
        for _ in range(chosen.repetitions):
            bare = forward_passes(autoencoder, folder, device)
            started = time.perf_counter()
            with contextlib.redirect_stdout(io.StringIO()):
                encode_dataset("benchmark", entry, folder, folder / "encoding", device)
            whole = time.perf_counter() - started
            print(f"{chosen.images} images: {whole:.2f} s, bare passes {bare:.2f} s, ratio {whole / bare:.3f}")
        print(f"peak resident memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
