"""The cosine head that LDAM was published with."""

import torch
import torch.nn.functional as F
from torch import nn

from . import without_autocast


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


def build(layer: nn.Linear, classes: int) -> CosineHead:
    return CosineHead(layer.in_features, classes)
