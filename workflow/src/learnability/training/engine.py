"""One engine for every recipe: train a classifier on one fold of one space, resume it, evaluate it."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ..classifiers.classifier import Classifier, build_classifier
from ..classifiers.saved import load_start
from ..errors import InputError
from ..registry import load
from ..storage.checkpoints import Checkpointer, remove_checkpoint, write_tensors
from ..storage.contracts import digest, file_digest, write_csv, write_json
from ..storage.finished import keep_finished, take_finished
from ..study.recipe import Recipe
from .described import describe_run, with_moments_of, without_moments
from .epochs import note_epoch, say_where, start_epoch
from .evaluation import autocast, predict, score_file, write_predictions
from .fold_data import Fold, Inputs, load_fold
from .hardware import device_name, kind_of_device, peak_megabytes, with_room
from .losses import build_loss
from .metrics import balanced_accuracy

OUTPUTS = ("predictions.parquet", "history.csv", "model.safetensors", "model.json", "metrics.json")
FITTED_AT_ONCE = 2**22  # values of latents, 32 MB of them in float64
STEPS_BETWEEN_LOOKS = 20  # at the clock, for each of which the host waits for a GPU


def train_classifier(
    cell: dict,
    recipe: Recipe,
    seed: int,
    n_splits: int,
    code: str,
    inputs: Inputs,
    folder: Path,
    device: torch.device,
) -> None:
    """Train one classifier and write predictions, metrics, history and the model into `folder`.

    `cell` names the run (dataset, autoencoder, space, recipe, fold); `recipe` is resolved; `code` is the digest
    of the code. A checkpoint of the same identity is resumed, and leads to the same bytes as no interruption; what
    was finished before and is lost since (storage/finished.py) is taken as it is.
    """
    identity = digest([cell, recipe.recorded(), seed, n_splits, code, *inputs.cards(), inputs.identity()])
    if take_finished(folder, OUTPUTS, identity):
        return
    data = with_share(load_fold(cell, n_splits, inputs, device), recipe, seed)
    checkpoint = folder / "checkpoint.safetensors"
    model, description, history, speed, best = with_room(
        lambda: train(cell, recipe, seed, n_splits, code, inputs, data, checkpoint), data
    )
    write_predictions(model, data, folder / "predictions.parquet", best)
    write_csv(pd.DataFrame(history), folder / "history.csv")
    write_tensors(model.state_dict(), folder / "model.safetensors")
    write_json(description | {"digest_weights": file_digest(folder / "model.safetensors")}, folder / "model.json")
    write_json(measured(folder, cell, recipe, seed, data, history, speed), folder / "metrics.json")
    keep_finished(folder, OUTPUTS, identity)
    remove_checkpoint(checkpoint)


def measured(
    folder: Path, cell: dict, recipe: Recipe, seed: int, data: Fold, history: list[dict], speed: float
) -> dict[str, object]:
    """Scores, epochs, speed, memory and sizes of a run with predictions in `folder`: the content of metrics.json."""
    held, device = data.held_bytes / 1e6, data.rows.device
    trained = {
        "epochs": len(history),
        "best_epoch": max(history, key=lambda row: row["validation_balanced_accuracy"])["epoch"],
        "train_samples_per_second": speed,
        "train_peak_mb": peak_megabytes(device) - held,
        "resident_mb": held,
        "device": device_name(device),
    } | (data.rows.decode.price if recipe.decoder_blocks else {})
    sizes = {f"n_{name}": len(rows) for name, rows in data.split.items()}
    sizes["n_train_groups"] = int(data.samples["group"].iloc[data.split["train"]].nunique())
    digests = {f"digest_{Path(name).stem}": file_digest(folder / name) for name in OUTPUTS[:2]}
    identified = cell | {"seed": seed, "role": data.source["role"]}
    return identified | score_file(folder / "predictions.parquet", data.card) | trained | sizes | digests


def train(
    cell: dict, recipe: Recipe, seed: int, n_splits: int, code: str, inputs: Inputs, data: Fold, checkpoint: Path
) -> tuple[Classifier, dict, list, float, np.ndarray | None]:
    """Build a classifier and fit it; returns it with its description (model.json), and what `fit` returns."""
    description = describe_run(cell, recipe, seed, data, inputs) | {"trained_by": recipe.recorded()}
    if inputs.pretrained:
        description["pretrained_digest"] = file_digest(inputs.pretrained)
    where = kind_of_device(data.rows.device, recipe)
    decided = description if not recipe.decoder_blocks else without_moments(description, inputs)
    identity = digest([decided, n_splits, code, data.source, data.card["digest"], inputs.identity(), where])
    torch.manual_seed(seed)
    # Channels last is what tensor cores want, and makes a small ResNet on a CPU nearly twice as fast.
    model = build_classifier(description, inputs.pretrained)
    if inputs.start:
        load_start(model, inputs.start)
    model = model.to(data.rows.device, memory_format=torch.channels_last)
    if model.transform is not None:
        fit_transform(model, data)
    if recipe.views and cell["space"] == "image":
        data = load("recipes.*", "views").with_turned_images(data, recipe.views.copies)
    torch.set_float32_matmul_precision("highest")  # no TF32 in what stays in float32 beside bfloat16
    loss = build_loss(recipe, class_counts(data), inputs.teacher_scale)
    found = fit(model, data, recipe, seed, identity, checkpoint, loss)
    return model, with_moments_of(model, description), *found


def with_share(data: Fold, recipe: Recipe, seed: int) -> Fold:
    """The fold of a run with `seed`, of whose training rows its recipe may use a share."""
    if recipe.train_share == 1:
        return data
    return load("recipes.*", "train_share").take_share(data, recipe.train_share, recipe.first_seed(seed))


def fit_transform(model: Classifier, data: Fold) -> None:
    """Let the classifier's transform learn from its training rows, a few megabytes of them at a time."""
    at_once = max(1, FITTED_AT_ONCE // data.array[0].size)
    model.transform.fit(map(model.normalise, data.rows.batches(data.split["train"], at_once)))


def class_counts(data: Fold) -> torch.Tensor:
    """Training rows of each class (K,), on the device."""
    counts = np.bincount(data.label[data.split["train"]], minlength=len(data.card["classes"]))
    return torch.from_numpy(counts).to(data.rows.device)


def fit(
    model: Classifier, data: Fold, recipe: Recipe, seed: int, identity: str, checkpoint: Path, loss
) -> tuple[list, float, np.ndarray | None]:
    """Train until the last epoch, or until patience or the budget runs out; leave the best weights in `model`.

    Returns the history (a dictionary per epoch), the training samples per second of this process, and what the best
    weights predict of the validation rows (n, K), None where another process found them.
    """
    optimiser = torch.optim.Adam(model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)
    state = {"best_score": -1.0, "without_gain": 0, "spent_seconds": 0.0, "history": []}
    seconds, trained, best = 0.0, 0, None
    with Checkpointer(checkpoint, identity, model, [optimiser], state) as checkpointer:
        say_where(checkpointer)
        state = checkpointer.state
        deadline = time.perf_counter() + (recipe.budget_seconds or np.inf) - state["spent_seconds"]
        for epoch in range(len(state["history"]) + 1, recipe.epochs + 1):
            started = time.perf_counter()
            may_end = state["history"] and not checkpointer.within  # what was trained of an epoch is evaluated too
            if state["without_gain"] > recipe.patience or (may_end and started >= deadline):
                break
            rate = start_epoch(optimiser, recipe, seed, epoch, state)
            train_loss, samples = train_epoch(model, data, recipe, seed, epoch, loss, optimiser, deadline, checkpointer)
            seconds, trained = seconds + time.perf_counter() - started, trained + samples
            predicted = predict(model, data, "validation")
            reached = balanced_accuracy(data.label[data.split["validation"]], predicted.argmax(axis=1))
            if note_epoch(checkpointer, {"epoch": epoch, "lr": rate, "train_loss": train_loss}, reached):
                best = predicted
            print(f"epoch {epoch}/{recipe.epochs}  loss {train_loss:.4f}  validation bACC {reached:.4f}", flush=True)
            state["spent_seconds"] = spent_seconds(recipe, deadline)
            checkpointer.end_epoch()
    model.load_state_dict(checkpointer.best)
    return state["history"], trained / seconds if seconds else 0.0, best


def train_epoch(
    model: Classifier,
    data: Fold,
    recipe: Recipe,
    seed: int,
    epoch: int,
    loss,
    optimiser,
    deadline: float,
    checkpointer: Checkpointer,
) -> tuple[float, int]:
    """One pass over the training rows in random order, or up to the deadline, from where a stopped one was saved.

    Returns the mean loss of the pass, and the samples seen in this process.
    """
    model.train()
    device, batch_size, train = data.rows.device, recipe.batch_size, data.split["train"]
    order = np.random.default_rng([seed, epoch]).permutation(len(train))
    if len(order) % batch_size == 1 and len(order) > 1:
        order = order[:-1]  # batch norm cannot train on a batch of one
    labels, rows = torch.from_numpy(data.label[train[order]]).to(device), train[order]
    if recipe.views:
        rows = load("recipes.*", "views").draw_views(rows, len(data.label), recipe.views.copies, seed, epoch)
    teacher = None if data.teacher is None else data.teacher[torch.from_numpy(order).to(device)]
    done = checkpointer.take_up() or {"seen": 0, "total": 0.0}
    total = torch.tensor(done["total"], device=device)  # summed on the device: reading it would make the host wait
    seen = done["seen"]
    left = data.rows.batches(rows[seen:], batch_size) if seen < len(order) else ()
    for step, x in enumerate(left, start=1):
        batch = slice(seen, seen + len(x))
        soft = None if teacher is None else teacher[batch]
        total += train_step(model, x, labels[batch], epoch, loss, optimiser, recipe, soft) * len(x)
        seen += len(x)
        if checkpointer.is_due():
            checkpointer.state["spent_seconds"] = spent_seconds(recipe, deadline)
            checkpointer.save({"seen": seen, "total": float(total)})
        if is_over(deadline, step, device):
            break
    mean = float(total) / seen
    if not np.isfinite(mean):
        raise InputError(f"the loss of epoch {epoch} is {mean}; lower recipes.*.lr, or check the input for NaN")
    return mean, seen - done["seen"]


def spent_seconds(recipe: Recipe, deadline: float) -> float:
    """What of the budget is spent, in this process and before it."""
    return recipe.budget_seconds - (deadline - time.perf_counter()) if recipe.budget_seconds else 0.0


def is_over(deadline: float, step: int, device: torch.device) -> bool:
    """Whether a training has used up its budget; without one this costs nothing."""
    if deadline == np.inf:
        return False
    if device.type == "cuda":
        if step % STEPS_BETWEEN_LOOKS:
            return False
        torch.cuda.synchronize(device)
    return time.perf_counter() >= deadline


def train_step(
    model: Classifier, x: torch.Tensor, label: torch.Tensor, epoch: int, loss, optimiser, recipe: Recipe, teacher=None
) -> torch.Tensor:
    """One optimiser step on a raw batch x (n, C, H, W) that is on the device; returns the loss, detached."""
    x = x.float()
    if recipe.augment:
        # Outside autocast, in which the grid that augmentation samples at would have the eight bits of bfloat16.
        x = load("recipes.*", "augment").augment(x, recipe.augment, recipe.rotate_degrees)
    x = model.normalise(x)
    if recipe.mask:
        x = load("recipes.*", "mask").mask_elements(x, recipe.mask)
    sigma = None
    if recipe.noise:
        sigma = model.levels.sample(len(x), x.device)
        x = model.add_noise(x, sigma, torch.randn_like(x))
    with autocast(x.device):
        logits = model.logits(x.contiguous(memory_format=torch.channels_last), sigma).float()
    value = loss(logits, label, epoch) if teacher is None else loss(logits, label, epoch, teacher)
    optimiser.zero_grad(set_to_none=True)
    value.backward()
    optimiser.step()
    return value.detach()
