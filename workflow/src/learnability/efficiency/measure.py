"""Samples per second and peak memory of a trained classifier (Table 3), in inference and in training.

A figure includes the forward pass, or the whole training step, on a batch of raw rows on the device, the classifier's
own normalisation, and decoding if images are decoded on the fly. It excludes reading and encoding the rows. The
precision is that in which the study predicts and trains.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ..classifiers.saved import load_classifier
from ..errors import InputError
from ..storage.batches import DecodedRows, Rows
from ..storage.contracts import CELL, SCORES, read_json, read_run, write_csv
from ..study.recipe import Recipe
from ..training import engine as training
from ..training.fold_data import Fold
from ..training.losses import build_loss
from .throughput import Measured, Step, Timing, device_name, memory_measure, sweep, timing_on

Decoding = Callable[[torch.Tensor], torch.Tensor]  # from rows of TrainingBatches to uint8 images (n, 3, s, s)
TABLE3_ROW_COLUMNS = ["row", *CELL[:4], "metric", "value", "batch_size", "budget_s", "device"]  # of table3.csv


def measure_efficiency(
    row: str,
    run: Path,
    recipe: Recipe,
    data: Fold,
    batch_sizes: list[int],
    repeats: int,
    device: torch.device,
    out: Path,
) -> None:
    """Write one row of Table 3 to `out`: the scores of a trained run, and its speed and memory at each batch size.

    `run` is the folder of the run; `data` is what it reads, with no rows resident (`keep` of load_fold).
    """
    metrics = read_run(run / "metrics.json")
    rows, decode = undecoded(data)
    batches = TrainingBatches(rows, data.label, data.split["train"])
    check_rows(batches, run, decode)
    model = load_classifier(run, device)
    timing = timing_on(device, repeats)
    print(f"{row} on {device_name(device)}; memory: {memory_measure(device)}", flush=True)
    # Inference comes first, so that its memory excludes gradients and the optimiser's moments.
    measured = {
        "inference": measure_inference(model, batches, batch_sizes, timing, decode),
        "train": measure_training(model, batches, training.class_counts(data), recipe, batch_sizes, timing, decode),
    }
    lines = [(name, metrics[name], recipe.batch_size) for name in SCORES]
    for kind, sizes in measured.items():
        for size, figures in sizes.items():
            lines.append((f"{kind}_samples_per_second", figures.samples_per_second, size))
            lines.append((f"{kind}_peak_mb", figures.peak_mb, size))
    frame = pd.DataFrame(lines, columns=["metric", "value", "batch_size"]).assign(
        row=row,
        budget_s=recipe.budget_seconds or "n/a",
        device=device_name(device),
        **{key: metrics[key] for key in CELL[:4]},
    )
    write_csv(frame[TABLE3_ROW_COLUMNS], out)


def undecoded(data: Fold) -> tuple[Rows, Decoding | None]:
    """The rows of `data` before decoding, and the function that decodes a batch, if there is one."""
    if not isinstance(data.rows, DecodedRows):
        return data.rows, None
    ids = data.rows.ids[data.split["train"]]
    return data.rows.rows, lambda z: data.rows.decode(z, np.resize(ids, len(z)))


@dataclass(frozen=True)
class TrainingBatches:
    """Training rows that are read on demand, so that only one batch is on the device."""

    rows: Rows
    label: np.ndarray  # (N,)
    train: np.ndarray  # rows of the training split

    def __call__(self, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return `size` training rows and their labels (size,); starts over at the first if there are fewer."""
        chosen = np.resize(self.train, size)
        x = next(self.rows.batches(chosen, size))
        return x, torch.from_numpy(self.label[chosen]).to(x.device)


def check_rows(batches: TrainingBatches, run: Path, decode: Decoding | None) -> None:
    """Refuse rows that differ from what the classifier was trained on, before anything is measured."""
    description = read_json(run / "model.json")
    x, _ = batches(1)
    shape = list((decode(x) if decode else x).shape[1:])
    expected = [description["in_channels"], *description["grid"]]
    if shape != expected:
        raise InputError(
            f"{'decoded ' if decode else ''}rows of {shape}, but the classifier of {run} was trained on {expected}; "
            "give the array that this run reads"
        )


def measure_inference(
    model: torch.nn.Module,
    batches: Callable[[int], tuple[torch.Tensor, torch.Tensor]],
    batch_sizes: list[int],
    timing: Timing,
    decode: Decoding | None = None,
    bfloat16: bool | None = None,
) -> dict[int, Measured]:
    """Measure model(rows), or model(decode(rows)), at each batch size, in evaluation and inference mode.

    `bfloat16` None means the study's own choice: on a GPU.
    """
    device = next(model.parameters()).device
    autocast = device.type == "cuda" if bfloat16 is None else bfloat16
    model.eval()

    def prepare(size: int) -> Step:
        rows, _ = batches(size)

        @torch.inference_mode()
        def forward() -> None:
            x = decode(rows) if decode else rows
            with torch.autocast(device.type, torch.bfloat16, enabled=autocast):
                model(x.float().contiguous(memory_format=torch.channels_last))

        return forward

    return sweep("inference", prepare, batch_sizes, timing, device)


def measure_training(
    model: torch.nn.Module,
    batches: Callable[[int], tuple[torch.Tensor, torch.Tensor]],
    counts: torch.Tensor,
    recipe: Recipe,
    batch_sizes: list[int],
    timing: Timing,
    decode: Decoding | None = None,
    step: Callable | None = None,
) -> dict[int, Measured]:
    """Measure the training step of `recipe` at each batch size above one; batch norm cannot train on one sample.

    Each step draws its augmentation anew and changes the weights of `model`. `counts` (K,) are the class counts of the
    training rows; `step` takes the arguments of training.train_step. Training reads a teacher's logits and does not
    compute them, so zeros of their shape cost the same.
    """
    device, step = next(model.parameters()).device, step or training.train_step
    loss = build_loss(recipe, counts)
    optimiser = torch.optim.Adam(model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)
    model.train()

    def prepare(size: int) -> Step:
        rows, label = batches(size)
        teacher = torch.zeros(size, len(counts), device=device) if recipe.distill else None
        return lambda: step(model, decode(rows) if decode else rows, label, 1, loss, optimiser, recipe, teacher)

    return sweep("training", prepare, [size for size in batch_sizes if size > 1], timing, device)
