"""Samples per second and peak memory of the latent classifier and of the image classifier, and their ratios.

    python benchmarks/classifier_speed.py [--decode] [--batches 1 8 64 256] [--dtypes bfloat16 float32]

Latent: ConvNeXt-Tiny on 32 x 64 x 64, stem of 4. Image: ResNet-50 at 256 px; with --decode also after the decoder of
a FLUX-like autoencoder, which decodes each latent to 512 px in float32 (TF32 on a GPU), averaged to 256. Weights and
data are random and lie on the device; they cost a network as much as real ones. Training is a step of Adam with
cross-entropy, without augmentation. Memory is that of tensors on a GPU; on a CPU that of the process, of which PyTorch
alone takes some hundred MB. A batch that does not fit ends a sweep.
"""

import argparse
import contextlib
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).parent.parent / "workflow" / "src"))

from learnability.autoencoders.decoding import image_decoder
from learnability.classifiers.classifier import build_classifier, image_moments
from learnability.efficiency.measure import measure_inference, measure_training
from learnability.efficiency.throughput import device_name, memory_measure, timing_on
from learnability.study.configuration import read_config
from learnability.study.recipes import resolve_recipe

SIDE, LATENT, CLASSES = 256, (32, 64, 64), 1000
MEAN, STD = image_moments()
CONTENDERS = {
    "latent": {
        "model": "convnext_tiny",
        "stem_patch": 4,
        "space": "latent",
        "in_channels": LATENT[0],
        "grid": list(LATENT[1:]),
        "mean": [0.0] * LATENT[0],
        "std": [2.0] * LATENT[0],
    },
    "image": {
        "model": "resnet50",
        "stem_patch": None,
        "space": "image",
        "in_channels": 3,
        "grid": [SIDE, SIDE],
        "mean": MEAN,
        "std": STD,
    },
}
COMMON = {"model_options": {}, "init": "random", "head": "linear", "film": False, "noise": None, "noise_unit": None}
COMMON |= {"latent_std": 0.5, "classes": [str(k) for k in range(CLASSES)]}
RECIPE = resolve_recipe(read_config(), "image").with_values({"loss": "cross_entropy"})


def flux_like(device: torch.device):
    """An untrained decoder of FLUX's architecture with 32 latent channels, as a `decode` from latents to 256 px."""
    import diffusers

    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    widths = {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "latent_channels": LATENT[0]}
    model = diffusers.AutoencoderKL(**blocks, **widths).eval().requires_grad_(False)
    model.encoder = None
    model.to(device)
    autoencoder = SimpleNamespace(factor=8, stochastic=False, decode=lambda z: model.decode(z).sample)
    decode = image_decoder("flux_like", autoencoder, SIDE)
    return lambda z: decode(z, [""] * len(z))


def batches(name: str, device: torch.device):
    """A function that gives batches for a contender: stored latents or 8-bit images, and labels."""

    def rows(size: int) -> tuple[torch.Tensor, torch.Tensor]:
        if name == "image":
            x = torch.randint(256, (size, SIDE, SIDE, 3), dtype=torch.uint8, device=device).permute(0, 3, 1, 2)
        else:
            x = torch.randn((size, *LATENT), device=device).half()
        return x, torch.randint(CLASSES, (size,), device=device)

    return rows


def training_step(dtype: str):
    def step(model, x, label, epoch, loss, optimiser, recipe, teacher) -> None:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=dtype == "bfloat16"):
            logits = model(x.float().contiguous(memory_format=torch.channels_last))
        value = F.cross_entropy(logits.float(), label)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        optimiser.step()

    return step


def measure_contender(name: str, dtype: str, chosen: argparse.Namespace) -> dict:
    """Measure a contender: (phase, dtype, batch size) -> figures. It must be the first in its process."""
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(0)
    device, figures = torch.device(chosen.device), {}
    timing, rows = timing_on(device, chosen.repeats), batches(name, device)
    decode = flux_like(device) if name == "decoded image" else None
    description = CONTENDERS["image" if decode else name] | COMMON
    model = build_classifier(description).to(device, memory_format=torch.channels_last)
    with contextlib.redirect_stdout(sys.stderr):  # progress; only the table is output
        print(f"{name}, {dtype}")
        if "inference" in chosen.phases:
            bfloat16 = dtype == "bfloat16"
            figures["inference"] = measure_inference(model, rows, chosen.batches, timing, decode, bfloat16)
        if "training" in chosen.phases:
            step, counts = training_step(dtype), torch.ones(CLASSES)
            figures["training"] = measure_training(model, rows, counts, RECIPE, chosen.batches, timing, decode, step)
    return {(phase, dtype, size): found for phase, sizes in figures.items() for size, found in sizes.items()}


def print_table(figures: dict[str, dict]) -> None:
    """Print a line per phase, precision and batch size; ratios are latent : image, in speed and in memory."""
    names = [name for name in figures if name != "latent"]
    print(f"{'':29}{'latent':>22}" + "".join(f"{name:>22}{'ratio':>17}" for name in names))
    print(f"{'phase':11}{'precision':11}{'batch':>7}" + f"{'samples/s':>13}{'MB':>9}", end="")
    print("".join(f"{'samples/s':>13}{'MB':>9}{'speed':>9}{'memory':>8}" for _ in names))
    for key in sorted(set().union(*figures.values())):
        line = f"{key[0]:11}{key[1]:11}{key[2]:7}"
        latent = figures["latent"].get(key)
        line += cell(latent)
        for name in names:
            image = figures[name].get(key)
            line += cell(image)
            if latent and image:
                speed = latent.samples_per_second / image.samples_per_second
                line += f"{speed:8.1f}x{latent.peak_mb / image.peak_mb:7.2f}x"
        print(line)


def cell(measured) -> str:
    return f"{measured.samples_per_second:13.4g}{measured.peak_mb:9.0f}" if measured else f"{'-':>13}{'-':>9}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decode", action="store_true", help="also the image classifier behind a decoder")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 64, 256])
    parser.add_argument("--dtypes", nargs="+", default=["bfloat16", "float32"], choices=["bfloat16", "float32"])
    parser.add_argument("--phases", nargs="+", default=["inference", "training"], choices=["inference", "training"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1, help="on a CPU; the study uses one")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    device = torch.device(chosen.device)
    print(f"{device_name(device)}; torch {torch.__version__}; {os.cpu_count()} cores")
    warmup = timing_on(device, chosen.repeats).warmup
    print(f"memory: {memory_measure(device)}; warm-up {warmup} iterations, median of {chosen.repeats}", flush=True)
    figures = {name: {} for name in ["latent", "image"] + ["decoded image"] * chosen.decode}
    # Each in its own process, because what one leaves in memory must not count for the next.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        for name, dtype in product(figures, chosen.dtypes):
            figures[name] |= processes.submit(measure_contender, name, dtype, chosen).result()
    print_table(figures)


if __name__ == "__main__":
    main()
