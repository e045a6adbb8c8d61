"""One matrix that mixes the channels of a latent, the same at every cell."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import nn

from ..heads import without_autocast


class ChannelMix(nn.Module):
    """y = M x at every cell: (N, C, h, w) -> (N, C, h, w). M (C, C) is saved with the weights and is not trained."""

    def __init__(self, matrix: torch.Tensor):
        super().__init__()
        self.register_buffer("matrix", matrix.float())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with without_autocast(x.device):
            return F.linear(x.float().movedim(1, -1), self.matrix).movedim(-1, 1)

    def fit(self, batches: Iterable[torch.Tensor]) -> None:
        """Learn from the normalised latents (n, C, h, w) of the training rows; here nothing."""
