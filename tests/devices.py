"""The device of unit tests: the CPU, or what LEARNABILITY_TEST_DEVICE names (make gpu-check)."""

import os
from types import ModuleType

import torch

CPU = torch.device("cpu")
DEVICE = os.environ.get("LEARNABILITY_TEST_DEVICE", "cpu")


def compute_on(device: str, modules: list[ModuleType]) -> None:
    """Give the tests of modules that name their device by the constant CPU another device."""
    for module in modules:
        if getattr(module, "CPU", None) == CPU and not hasattr(module, "CUDA"):  # such modules test both
            module.CPU = torch.device(device)
