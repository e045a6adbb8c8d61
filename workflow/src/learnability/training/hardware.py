"""The device of a training: its name, what of it decides a result, and the memory that a training took of it."""

import resource

import torch

from ..study.recipe import Recipe


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
