"""The last layer of a classifier, which computes in float32 whatever the network before it does.

bfloat16 has eight bits: logits that are rounded to it, and then multiplied by the 30 of a margin loss, tie.
"""

from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import nn


class LinearHead(nn.Module):
    """The linear layer that a network ends in, with its parameters and their names.

    forward(x: (N, D)) -> (N, K), in float32.
    """

    def __init__(self, layer: nn.Linear):
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with without_autocast(x.device):
            return F.linear(x.float(), self.weight, self.bias)


class CosineHead(nn.Module):
    """Cosine between a feature and the vector of each class, without bias, as LDAM was published (arXiv 1906.07413).

    forward(x: (N, D)) -> (N, K) in [-1, 1], in float32: the loss multiplies it by 30.
    """

    def __init__(self, features: int, classes: int):
        super().__init__()
        self.weight = nn.Parameter(F.normalize(torch.randn(classes, features), dim=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with without_autocast(x.device):
            return F.linear(F.normalize(x.float(), dim=1), F.normalize(self.weight.float(), dim=1))


def without_autocast(device: torch.device) -> AbstractContextManager:
    """Autocast off, on a device that has it; `meta`, on which operations are counted, has none."""
    available = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type, enabled=False) if available else nullcontext()
