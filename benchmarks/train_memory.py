"""Peak memory of a training over the number of its rows: what grows should be the array that it keeps, and no more.

    python benchmarks/train_memory.py [--rows 4000 16000]

An epoch of a small ConvNeXt on latents 16 x 32 x 32 in float16, by train_classifier on a CPU, each number of rows in a
process of its own; once with the array in memory and once left on the disk. Memory is resident memory, libraries too.
With fewer than 2560 rows the batches of the evaluation are smaller, and so is the memory.
"""

import argparse
import contextlib
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "workflow" / "src"))

from learnability.storage import batches
from learnability.storage.arrays import PackedWriter
from learnability.storage.contracts import FOLDS, SAMPLES, read_json, write_json, write_parquet
from learnability.study.configuration import read_config
from learnability.study.recipes import resolve_recipe
from learnability.training.engine import train_classifier
from learnability.training.fold_data import Inputs

SHAPE, CLASSES = (16, 32, 32), ["a", "b"]
NETWORK = {"model": "convnext_tiny", "model_options": {"depths": [1, 1, 1, 1], "dims": [8, 16, 16, 16]}}
CHANGED = {"stem_patch": 4, "init": "random", "epochs": 1, "batch_size": 64}


def write_study(folder: Path, rows: int) -> Inputs:
    """Latents of noise with labels, five folds, and the cards that belong to them."""
    random = np.random.default_rng(0)
    with PackedWriter(folder / "latents.npy", SHAPE, "float16") as writer:
        for _ in range(rows):
            writer.write(random.standard_normal((1, *SHAPE), np.float32).astype(np.float16))
    names, label = [f"row{i}" for i in range(rows)], np.arange(rows) // 5 % 2
    samples = pd.DataFrame({"sample_id": names, "label": label, "group": names})
    samples["label_name"] = [CLASSES[k] for k in label]
    write_parquet(samples[SAMPLES], folder / "samples.parquet")
    write_parquet(pd.DataFrame({"sample_id": names, "fold": np.arange(rows) % 5})[FOLDS], folder / "folds.parquet")
    card = {"classes": CLASSES, "positive": "b", "digest": "noise", "digest_small": "noise", "synthetic": True}
    write_json(card | {"classifier_size": 32}, folder / "dataset.json")
    encoding = {"dataset_digest": "noise", "role": "control", "digest_latents": writer.digest}
    write_json(encoding | {"pipeline": {"mean": [0.0], "std": [1.0]}}, folder / "autoencoder.json")
    return Inputs(folder / "latents.npy", folder, folder / "folds.parquet", folder / "autoencoder.json")


def peak_of(folder: Path, rows: int, on_disk: bool) -> float:
    """Peak megabytes of a training on `rows` rows, which must be the first in its process."""
    torch.set_num_threads(1)
    if on_disk:
        batches.free_memory = lambda device: 0
    recipe = resolve_recipe(read_config(), "latent").with_values(NETWORK | CHANGED)
    cell = {"dataset": "noise", "autoencoder": "noise", "space": "latent", "recipe": "latent", "fold": 0}
    with contextlib.redirect_stdout(sys.stderr):
        inputs = write_study(folder, rows)
        train_classifier(cell, recipe, 0, 5, "benchmark", inputs, folder / "run", torch.device("cpu"))
    return read_json(folder / "run" / "metrics.json")["train_peak_mb"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[4000, 16000])
    chosen = parser.parse_args()
    print(f"{'rows':>8}{'array MB':>10}{'in memory':>12}{'on the disk':>12}  (peak MB; {os.cpu_count()} cores)")
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        for rows in chosen.rows:
            peaks = []
            for on_disk in (False, True):
                with tempfile.TemporaryDirectory() as folder:
                    peaks.append(processes.submit(peak_of, Path(folder), rows, on_disk).result())
            size = rows * np.prod(SHAPE) * 2 / 1e6
            print(f"{rows:8}{size:10.0f}{peaks[0]:12.0f}{peaks[1]:12.0f}", flush=True)


if __name__ == "__main__":
    main()
