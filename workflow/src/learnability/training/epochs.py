"""What begins and ends an epoch of a training: its random numbers and learning rate, its history and best weights."""

import numpy as np
import torch

from ..storage.checkpoints import Checkpointer
from ..study.recipe import Recipe


def say_where(checkpointer: Checkpointer) -> None:
    """Print where a training goes on that was stopped."""
    done = len(checkpointer.state["history"])
    if checkpointer.within:
        print(f"resumed in epoch {done + 1}, after {checkpointer.within['seen']} training rows", flush=True)
    elif done:
        print(f"resumed after epoch {done}", flush=True)


def start_epoch(optimiser: torch.optim.Optimizer, recipe: Recipe, seed: int, epoch: int, state: dict) -> float:
    """Seed the epoch, so that a resumed run draws the same numbers; apply the deferred switch (docs/protocol.md)."""
    torch.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))
    drw, rate = recipe.drw, recipe.lr
    if recipe.loss == "ldam_drw" and epoch > drw.after_epoch:
        rate *= drw.lr_factor
        if epoch == drw.after_epoch + 1 and drw.reset_patience:
            state["without_gain"] = 0
    for group in optimiser.param_groups:
        group["lr"] = rate
    return rate


def note_epoch(checkpointer: Checkpointer, row: dict, reached: float) -> bool:
    """Add an epoch to the history, keep its weights if its validation balanced accuracy is the best, and say so."""
    checkpointer.state["without_gain"] += 1
    is_best = reached > checkpointer.state["best_score"]  # a tie keeps the earlier epoch
    if is_best:
        checkpointer.state |= {"best_score": reached, "without_gain": 0}
        checkpointer.best = {key: value.clone() for key, value in checkpointer.model.state_dict().items()}
    checkpointer.state["history"].append(row | {"validation_balanced_accuracy": reached})
    return is_best
