"""One engine for every recipe: train a classifier on one fold of one space, resume it, evaluate it."""

import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from .augmentation import augment, mask_elements
from .checkpoints import load_checkpoint, save_checkpoint, write_tensors
from .classifiers.classifier import Classifier, build_classifier
from .contracts import InputError, digest, file_digest, read_predictions, write_csv, write_json, write_parquet
from .fold_data import Fold, describe, load_fold
from .losses import build_loss
from .metrics import area_under_curve, balanced_accuracy, matthews_correlation

EVALUATION_BATCH = 512


def train_classifier(
    cell: dict,
    recipe: dict,
    seed: int,
    n_splits: int,
    code: str,
    array: Path,
    dataset: Path,
    autoencoder_card: Path | None,
    folds: Path,
    folder: Path,
    device: torch.device,
    pretrained: Path | None = None,
) -> None:
    """Train one classifier and write predictions, metrics, history and the model into `folder`.

    `cell` names the run (dataset, autoencoder, space, recipe, fold); `recipe` is resolved; `code` is the digest
    of the code; `pretrained` is the file of weights to start from. A checkpoint of the same identity is resumed,
    and leads to the same bytes as no interruption.
    """
    data = load_fold(cell, n_splits, array, dataset, autoencoder_card, folds, device)
    description = describe(cell, recipe, seed, data)
    files = [file_digest(folds), file_digest(dataset / "samples.parquet")]  # folds and labels
    if pretrained:
        description["pretrained_digest"] = file_digest(pretrained)
    identity = digest([description, recipe, n_splits, code, data.source, data.card["digest"], files])
    torch.manual_seed(seed)
    # Channels last is what tensor cores want, and makes a small ResNet on a CPU nearly twice as fast.
    model = build_classifier(description, pretrained).to(device, memory_format=torch.channels_last)
    torch.set_float32_matmul_precision("high")  # TF32 where the GPU has it
    checkpoint = folder / "checkpoint.safetensors"
    history, speed = fit(model, data, recipe, seed, identity, checkpoint)
    write_predictions(model, data, folder / "predictions.parquet")
    write_csv(pd.DataFrame(history), folder / "history.csv")
    write_tensors(model.state_dict(), folder / "model.safetensors")
    write_json(description, folder / "model.json")
    measured = score(folder / "predictions.parquet", data.card) | {
        "epochs": len(history),
        "best_epoch": max(history, key=lambda row: row["validation_balanced_accuracy"])["epoch"],
        "train_samples_per_second": speed,
        "train_peak_mb": peak_megabytes(device),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
    }
    sizes = {f"n_{name}": len(rows) for name, rows in data.split.items()}
    write_json(cell | {"seed": seed, "role": data.source["role"]} | measured | sizes, folder / "metrics.json")
    checkpoint.unlink(missing_ok=True)


def fit(model: Classifier, data: Fold, recipe: dict, seed: int, identity: str, checkpoint: Path) -> tuple[list, float]:
    """Train until the last epoch or until patience runs out; leave the best weights in `model`.

    Returns the history (a dictionary per epoch) and the training samples per second of this process.
    """
    device = data.rows.device
    counts = np.bincount(data.label[data.split["train"]], minlength=len(data.card["classes"]))
    loss = build_loss(recipe, torch.from_numpy(counts).to(device))
    optimiser = torch.optim.Adam(model.parameters(), lr=recipe["lr"], weight_decay=recipe["weight_decay"], fused=True)
    best: dict[str, torch.Tensor] = {}
    state = {"best_score": -1.0, "without_gain": 0, "history": []}
    if resumed := load_checkpoint(checkpoint, identity, model, [optimiser]):
        best, state = resumed
        print(f"resumed after epoch {len(state['history'])}", flush=True)
    seconds, trained = 0.0, 0
    for epoch in range(len(state["history"]) + 1, recipe["epochs"] + 1):
        if state["without_gain"] > recipe["patience"]:
            break
        rate = start_epoch(optimiser, recipe, seed, epoch, state)
        started = time.perf_counter()
        train_loss = train_epoch(model, data, recipe, seed, epoch, loss, optimiser)
        seconds, trained = seconds + time.perf_counter() - started, trained + len(data.split["train"])
        predicted = predict(model, data, "validation").argmax(axis=1)
        reached = balanced_accuracy(data.label[data.split["validation"]], predicted)
        state["without_gain"] += 1
        if reached > state["best_score"]:  # a tie keeps the earlier epoch
            state |= {"best_score": reached, "without_gain": 0}
            best = {key: value.clone() for key, value in model.state_dict().items()}
        state["history"].append(
            {"epoch": epoch, "lr": rate, "train_loss": train_loss, "validation_balanced_accuracy": reached}
        )
        save_checkpoint(checkpoint, identity, model, best, [optimiser], state)
        print(f"epoch {epoch}/{recipe['epochs']}  loss {train_loss:.4f}  validation bACC {reached:.4f}", flush=True)
    model.load_state_dict(best)
    return state["history"], trained / seconds if seconds else 0.0


def start_epoch(optimiser: torch.optim.Optimizer, recipe: dict, seed: int, epoch: int, state: dict) -> float:
    """Seed the epoch, so that a resumed run draws the same numbers; apply the deferred switch (docs/protocol.md)."""
    torch.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))
    drw, rate = recipe.get("drw"), recipe["lr"]
    if recipe["loss"] == "ldam_drw" and epoch > drw["after_epoch"]:
        rate *= drw["lr_factor"]
        if epoch == drw["after_epoch"] + 1 and drw["reset_patience"]:
            state["without_gain"] = 0
    for group in optimiser.param_groups:
        group["lr"] = rate
    return rate


def train_epoch(model: Classifier, data: Fold, recipe: dict, seed: int, epoch: int, loss, optimiser) -> float:
    """One pass over the training rows in random order; returns the mean loss."""
    model.train()
    device, batch_size = data.rows.device, recipe["batch_size"]
    order = np.random.default_rng([seed, epoch]).permutation(data.split["train"])
    if len(order) % batch_size == 1 and len(order) > 1:
        order = order[:-1]  # batch norm cannot train on a batch of one
    labels = torch.from_numpy(data.label[order]).to(device)
    total = torch.zeros((), device=device)  # summed on the device: reading it would make the host wait
    start = 0
    for x in data.rows.batches(order, batch_size):
        label = labels[start : start + len(x)]
        start += len(x)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            x = model.normalise(augment(x.float(), recipe["augment"], recipe["rotate_degrees"]))
            x = mask_elements(x, recipe["mask"]).contiguous(memory_format=torch.channels_last)
            logits = model.network(x)
        value = loss(logits.float(), label, epoch)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        optimiser.step()
        total += value.detach() * len(x)
    mean = float(total) / len(order)
    if not np.isfinite(mean):
        raise InputError(f"the loss of epoch {epoch} is {mean}; lower recipes.*.lr, or check the input for NaN")
    return mean


@torch.inference_mode()
def predict(model: Classifier, data: Fold, split: str) -> np.ndarray:
    """Class probabilities of a split: softmax of the unscaled logits, float64 (n, K)."""
    model.eval()
    device = data.rows.device
    logits = []
    for x in data.rows.batches(data.split[split], EVALUATION_BATCH):
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            logits.append(model(x.float().contiguous(memory_format=torch.channels_last)).float())
    return torch.cat(logits).double().softmax(dim=1).cpu().numpy()


def write_predictions(model: Classifier, data: Fold, path: Path) -> None:
    """Write the probabilities of the validation and test rows."""
    parts = []
    for split in ("validation", "test"):
        part = data.samples.iloc[data.split[split]][["sample_id", "label"]].assign(split=split)
        part[data.card["classes"]] = predict(model, data, split)
        parts.append(part)
    write_parquet(pd.concat(parts, ignore_index=True), path)


def score(path: Path, card: dict) -> dict:
    """Metrics on the test rows, from the predictions as they were written."""
    predictions = read_predictions(path, card["classes"])
    test = predictions[predictions["split"] == "test"]
    label, probability = test["label"].to_numpy(), test[card["classes"]].to_numpy()
    positive = card["classes"].index(card["positive"]) if len(card["classes"]) == 2 else None
    auc, classes_used = area_under_curve(label, probability, positive)
    predicted = probability.argmax(axis=1)
    return {
        "balanced_accuracy": balanced_accuracy(label, predicted),
        "auc": auc,
        "mcc": matthews_correlation(label, predicted),
        "classes_used": classes_used,
    }


def peak_megabytes(device: torch.device) -> float:
    """Peak memory of this process: allocated tensors on a GPU, resident memory on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
