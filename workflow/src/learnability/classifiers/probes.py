"""The probe ladder's networks, from a linear map of pooled input to a small CNN; the top is the study's ConvNeXt."""

from itertools import pairwise

import torch
from torch import nn

from ..errors import InputError


class Probe(nn.Module):
    """Features of x, then one linear layer of classes, named as classifier.py asks timm's networks.

    forward(x: (N, C, H, W)) -> logits (N, K).
    """

    def __init__(self, body: nn.Module, features: int, classes: int):
        super().__init__()
        self.body, self.num_features, self.fc = body, features, nn.Linear(features, classes)
        self.pretrained_cfg = {}  # of weights there are none

    def get_classifier(self) -> nn.Module:
        return self.fc

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.body(x))


class Pool(nn.Module):
    """Mean over the positions: (N, C, H, W) -> (N, C)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=(2, 3))


class AttentionPool(nn.Module):
    """Mean over the positions with weights that a linear map of each position gives: (N, C, H, W) -> (N, heads C).

    Every head has a query of its own; heads start at zero, as plain means.
    """

    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.score = nn.Linear(channels, heads, bias=False)
        nn.init.zeros_(self.score.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        positions = x.flatten(2).transpose(1, 2)  # (N, HW, C)
        weight = self.score(positions).softmax(dim=1)  # (N, HW, heads)
        return (weight.transpose(1, 2) @ positions).flatten(1)


def _linear(channels: int) -> tuple[nn.Module, int]:
    return Pool(), channels


def _mlp(channels: int, hidden: int = 256) -> tuple[nn.Module, int]:
    return nn.Sequential(Pool(), nn.Linear(channels, hidden), nn.GELU()), hidden


def _attention(channels: int, heads: int = 4) -> tuple[nn.Module, int]:
    return AttentionPool(channels, heads), heads * channels


def _cnn(channels: int, width: int = 32) -> tuple[nn.Module, int]:
    """Three 3 x 3 convolutions, the later two of which halve the grid."""
    layers, sizes = [], [channels, width, 2 * width, 4 * width]
    for place, (before, after) in enumerate(pairwise(sizes)):
        layers += [nn.Conv2d(before, after, 3, stride=2 if place else 1, padding=1, bias=False)]
        layers += [nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, Pool()), sizes[-1]


BODIES = {"probe_linear": _linear, "probe_mlp": _mlp, "probe_attention": _attention, "probe_cnn": _cnn}


def build(name: str, in_chans: int, num_classes: int, **options) -> Probe:
    """The network of that name; `options` are `model_options`: hidden, heads, width. InputError for others."""
    try:
        body, features = BODIES[name](in_chans, **options)
    except TypeError as error:
        raise InputError(f"recipes.*.model_options {options}: not options of {name} ({error})") from error
    return Probe(body, features, num_classes)
