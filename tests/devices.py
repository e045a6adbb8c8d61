"""The device of unit tests: the CPU, or what LEARNABILITY_TEST_DEVICE names (make gpu-check)."""

import os
from types import ModuleType

import torch

CPU = torch.device("cpu")
DEVICE = os.environ.get("LEARNABILITY_TEST_DEVICE", "cpu")


def compute_on(device: str, modules: list[ModuleType]) -> None:
    """Give the tests of some modules another device, where these name it by the constant CPU."""
    for module in modules:
        if getattr(module, "CPU", None) == CPU and not hasattr(module, "CUDA"):  # which has tests of both
            module.CPU = torch.device(device)
