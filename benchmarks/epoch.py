"""The cost of an epoch beyond its steps: the engine's epoch relative to bare steps and bare predictions.

    python benchmarks/epoch.py [--rows 4000] [--epochs 3]

A ConvNeXt of 0.9 million weights on latents 4 x 32 x 32, without augmentation and masking. The bare epoch takes as many
steps on one batch on the device, and as many predictions on one batch for evaluation. An epoch of the engine also draws
and reads its rows, predicts the validation rows, keeps the best weights and writes a checkpoint.
"""

import argparse
import contextlib
import io
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "workflow" / "src"))

from noise_study import CELL, write_latents
from ratio import Ratio, as_markdown

from learnability.classifiers.classifier import build_classifier
from learnability.study.configuration import read_config
from learnability.study.recipes import resolve_recipe
from learnability.training import engine
from learnability.training.described import describe_run
from learnability.training.evaluation import EVALUATION_BATCH, predict
from learnability.training.fold_data import load_fold
from learnability.training.losses import build_loss

NETWORK = {"model": "convnext_tiny", "model_options": {"depths": [2, 2, 2, 2], "dims": [24, 48, 96, 192]}}
NETWORK |= {"stem_patch": 4, "init": "random", "mask": 0.0, "augment": []}


def ratios(rows: int = 4000, epochs: int = 3) -> list[Ratio]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    recipe = resolve_recipe(read_config(), "latent").with_values(NETWORK | {"epochs": epochs, "batch_size": 64})
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        inputs = write_latents(Path(folder), rows, (4, 32, 32))
        data = load_fold(CELL, 5, inputs, device)
        model = build_classifier(describe_run(CELL, recipe, 0, data, inputs))
        model = model.to(device, memory_format=torch.channels_last)
        loss = build_loss(recipe, engine.class_counts(data), 1.0)
        bare_epoch(model, data, recipe, loss)  # warm-up
        bare = min(bare_epoch(model, data, recipe, loss) for _ in range(epochs))
        started = time.perf_counter()
        engine.fit(model, data, recipe, 0, "benchmark", Path(folder) / "checkpoint.safetensors", loss)
        whole = (time.perf_counter() - started) / epochs
    detail = f"{rows} rows: {whole:.2f} s, bare {bare:.2f} s, means of {epochs} epochs"
    return [Ratio("epoch of a training", "bare steps and predictions", whole / bare, "at most 1.08", detail)]


def bare_epoch(model, data, recipe, loss) -> float:
    """Seconds of an epoch's number of steps and predictions, each on one batch on the device."""
    optimiser = torch.optim.Adam(model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)
    train, validation = data.split["train"], data.split["validation"]
    x = next(data.rows.batches(train[: recipe.batch_size], recipe.batch_size)).clone()
    label = torch.from_numpy(data.label[train[: recipe.batch_size]]).to(x.device)
    started = time.perf_counter()
    model.train()
    for _ in range(round(len(train) / recipe.batch_size)):
        engine.train_step(model, x, label, 1, loss, optimiser, recipe)
    spent = time.perf_counter() - started
    part = replace(data, split={"validation": validation[:EVALUATION_BATCH]})
    started = time.perf_counter()
    predict(model, part, "validation")
    return spent + (time.perf_counter() - started) * len(validation) / min(EVALUATION_BATCH, len(validation))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=3)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    print(as_markdown(ratios(chosen.rows, chosen.epochs)))


if __name__ == "__main__":
    main()
