"""The linear layer at the end of a network."""

import torch
import torch.nn.functional as F
from torch import nn

from . import without_autocast


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


def build(layer: nn.Linear, classes: int) -> LinearHead:
    return LinearHead(layer)
