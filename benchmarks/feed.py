"""Samples per second that reach the training step: our batches against PyTorch's DataLoader with a file per sample.

    python benchmarks/feed.py [--samples 4000] [--repeats 9] [--device cpu]

Latents 16 x 64 x 64 in float16, images 256 x 256 x 3 in uint8, batches of 64 rows in random order, in their stored
dtype, on the device. The loader reads .npy files, and for images also PNG (the first 500), with 0, 1 and 2 workers that
stay alive between epochs. All files are in the page cache. Contenders take turns of one epoch; figures are medians over
the epochs after the first. A ratio is ours over the fastest loader on the same kind of file. Besides the wall clock,
CPU time of the process and its workers is given, which says more if others use the machine too.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import psutil
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

sys.path.insert(0, str(Path(__file__).parent.parent / "workflow" / "src"))

from ratio import Ratio, machine

from learnability.storage import batches
from learnability.storage.arrays import PackedWriter, open_packed

BATCH, WORKERS, PNGS = 64, (0, 1, 2), 500
PLENTY = 2**50  # bytes


def latent(random: np.random.Generator) -> np.ndarray:
    return random.standard_normal((16, 64, 64), np.float32).astype(np.float16)


def image(random: np.random.Generator) -> np.ndarray:
    """An image that is smooth with a little noise, which PNG compresses to about half."""
    coarse = random.integers(30, 220, (17, 17, 3)).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((256, 256), Image.Resampling.BICUBIC))
    return smooth + random.integers(0, 8, smooth.shape, np.uint8)


class Files(Dataset):
    """A file per sample."""

    def __init__(self, folder: Path, number: int, suffix: str):
        self.folder, self.number, self.suffix = folder, number, suffix

    def __len__(self) -> int:
        return self.number

    def __getitem__(self, i: int) -> torch.Tensor:
        path = self.folder / f"{i}.{self.suffix}"
        return torch.from_numpy(np.load(path) if self.suffix == "npy" else np.array(Image.open(path)))


def write(folder: Path, number: int, sample: Callable, suffixes: list[str]) -> Path:
    """Write `number` samples, packed and as files of each suffix; returns the packed file."""
    random, first = np.random.default_rng(0), sample(np.random.default_rng(0))
    with PackedWriter(folder / "packed.npy", first.shape, first.dtype.name) as writer:
        for i in range(number):
            row = sample(random)
            writer.write(row[None])
            np.save(folder / f"{i}.npy", row)
            if "png" in suffixes and i < PNGS:
                Image.fromarray(row).save(folder / f"{i}.png")
    return folder / "packed.npy"


def ours(packed: Path, device: torch.device, channels_last: bool) -> dict[str, Callable[[], Iterable]]:
    """An epoch with each of our ways to keep rows; on a CPU, resident means in memory."""
    array, host, kept = open_packed(packed), torch.device("cpu"), {}
    room = {"resident": (PLENTY, PLENTY), "memory": (0, PLENTY), "disk": (0, 0)}
    for name in ("memory", "disk") if device == host else room:
        on_device, on_host = room[name]
        if device == host:
            on_device = on_host
        batches.free_memory = lambda asked, free=(on_host, on_device): free[asked != host]
        kept[name] = batches.Rows(array, device, channels_last)
    random = np.random.default_rng(1)
    return {
        f"packed, {name}": lambda rows=rows: rows.batches(random.permutation(len(array)), BATCH)
        for name, rows in kept.items()
    }


def loaders(folder: Path, number: int, suffix: str, device: torch.device) -> dict[str, Callable[[], Iterable]]:
    cuda, epochs = device.type == "cuda", {}
    for workers in WORKERS:
        loader = DataLoader(
            Files(folder, min(number, PNGS) if suffix == "png" else number, suffix),
            BATCH,
            shuffle=True,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=cuda,
        )
        epochs[f".{suffix} files, DataLoader, {workers} workers"] = lambda loader=loader: (
            x.to(device, non_blocking=True) for x in loader
        )
    return epochs


def cpu_seconds() -> float:
    """CPU time of this process and of its present workers."""
    times = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return time.process_time() + sum(spent.user + spent.system for spent in times)


def one_epoch(epoch: Callable[[], Iterable], device: torch.device) -> tuple[int, float, float]:
    """Rows, wall seconds and CPU seconds of an epoch; each batch is released when the next one comes."""
    spent, started, rows = cpu_seconds(), time.perf_counter(), 0
    for x in epoch():
        rows += len(x)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return rows, time.perf_counter() - started, cpu_seconds() - spent


def measure(epochs: dict[str, Callable], repeats: int, device: torch.device) -> dict[str, tuple[float, float]]:
    """Samples per second of wall clock and of CPU time: medians over epochs in turns, without the first."""
    found: dict[str, list] = {name: [] for name in epochs}
    for repeat in range(repeats + 1):
        for name, epoch in epochs.items():
            rows, wall, cpu = one_epoch(epoch, device)
            if repeat:
                found[name].append((rows / wall, rows / max(cpu, 1e-3)))
    return {name: tuple(map(statistics.median, zip(*pairs, strict=True))) for name, pairs in found.items()}


def report(kind: str, rates: dict[str, tuple[float, float]], suffixes: list[str]) -> None:
    """Print a line per contender; ratios are by wall clock, and in brackets by CPU time."""
    fastest = {
        suffix: [max(rate[which] for name, rate in rates.items() if name.startswith(f".{suffix} ")) for which in (0, 1)]
        for suffix in suffixes
    }
    print(f"\n{kind:36}{'samples/s':>12}{'per CPU s':>12}" + "".join(f"{'over .' + s:>16}" for s in suffixes))
    for name, rate in rates.items():
        line = f"{name:36}{rate[0]:12,.0f}{rate[1]:12,.0f}"
        if name.startswith("packed"):
            ratios = [[ours / theirs for ours, theirs in zip(rate, fastest[s], strict=True)] for s in suffixes]
            line += "".join(f"{wall:7.1f}x ({cpu:4.1f}x)" for wall, cpu in ratios)
        print(line, flush=True)


def ratios_of(kind: str, rates: dict[str, tuple[float, float]], suffixes: list[str]) -> list[Ratio]:
    found = []
    for suffix in suffixes:
        fastest = max(rate for name, (rate, _) in rates.items() if name.startswith(f".{suffix} "))
        for name, (rate, _) in rates.items():
            if name.startswith("packed"):
                detail = f"{rate:,.0f} and {fastest:,.0f} samples/s"
                over = f"best DataLoader over .{suffix}"
                found.append(Ratio(f"feed of {kind}, {name}", over, rate / fastest, "at least 10", detail))
    return found


def ratios(samples: int = 4000, repeats: int = 9, device: torch.device | None = None) -> list[Ratio]:
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    found = []
    for kind, (sample, suffixes) in {"latents": (latent, ["npy"]), "images": (image, ["npy", "png"])}.items():
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            epochs = ours(write(folder, samples, sample, suffixes), device, channels_last=kind == "images")
            for suffix in suffixes:
                epochs |= loaders(folder, samples, suffix, device)
            rates = measure(epochs, repeats, device)
            report(kind, rates, suffixes)
            found += ratios_of(kind, rates, suffixes)
            del epochs  # ends the loaders' workers
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    chosen = parser.parse_args()
    torch.set_num_threads(1)  # as the study does
    print(f"{machine()}; {chosen.samples} samples, median of {chosen.repeats} epochs")
    ratios(chosen.samples, chosen.repeats, torch.device(chosen.device))


if __name__ == "__main__":
    main()
