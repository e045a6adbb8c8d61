"""The device of a training: its name, what of it decides a result, and the memory that a training takes of it."""

import resource
import traceback
from collections.abc import Callable
from typing import TypeVar

import torch

from ..storage.out_of_memory import ran_out_of_gpu_memory
from ..study.recipe import Recipe
from .fold_data import Fold

Found = TypeVar("Found")


def device_name(device: torch.device) -> str:
    """The GPU's own name, or cpu."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def kind_of_device(device: torch.device, recipe: Recipe) -> str:
    """What must stay the same during a training: a GPU computes in bfloat16, and a budget depends on the card."""
    return device_name(device) if recipe.budget_seconds else device.type


def peak_megabytes(device: torch.device) -> float:
    """Peak memory of this process: allocated tensors on a GPU, resident memory on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def with_room(train: Callable[[], Found], data: Fold) -> Found:
    """What `train` returns; where a GPU has no room for its network beside the rows of `data`, they leave it first.

    How much a network takes is known only when it trains. A training then goes on from its last save.
    """
    try:
        return train()
    except RuntimeError as error:
        if not ran_out_of_gpu_memory(error) or not data.rows.leave_gpu():
            raise
        print(f"no room on the GPU for the network beside the rows, which are read ahead now: {error}", flush=True)
        traceback.clear_frames(error.__traceback__)  # they hold the network
    if data.rows.device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(data.rows.device)  # that of the training without its rows
    return train()
