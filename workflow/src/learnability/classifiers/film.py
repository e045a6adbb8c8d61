"""FiLM (arXiv 1709.07871): the noise level scales and shifts the features after each stage of a ConvNeXt."""

import math

import torch
from torch import nn

EMBEDDING = 256


class FiLM(nn.Module):
    """x·(1 + γ) + β after each stage, γ and β from an embedding of the noise level (section 2).

    The last layer starts at zero, weight and bias: the conditioned network starts as the unconditioned one, exactly.
    """

    def __init__(self, channels: list[int]):
        super().__init__()
        fixed = torch.Generator().manual_seed(0)  # the same features for every classifier, and no other draw is moved
        self.register_buffer("frequency", torch.randn(EMBEDDING, generator=fixed, device="cpu"))
        self.register_buffer("phase", torch.rand(EMBEDDING, generator=fixed, device="cpu"))
        self.embedding = nn.Sequential(nn.Linear(EMBEDDING, EMBEDDING), nn.SiLU(), nn.Linear(EMBEDDING, EMBEDDING))
        self.stages = nn.ModuleList(nn.Linear(EMBEDDING, 2 * number) for number in channels)
        for layer in self.stages:
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def fourier(self, label: torch.Tensor) -> torch.Tensor:
        """cos(2π(f·c + φ))·√2: features of unit variance; (N,) -> (N, 256)."""
        return math.sqrt(2) * (2 * math.pi * (label[:, None] * self.frequency + self.phase)).cos()

    def modulations(self, label: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """(γ, β) of each stage, both (N, C, 1, 1), in float32 whatever the network computes in."""
        with torch.autocast(label.device.type, enabled=False):
            embedding = self.embedding(self.fourier(label.float()))  # (N, 256)
            return [layer(embedding)[:, :, None, None].chunk(2, dim=1) for layer in self.stages]

    def forward(self, network: nn.Module, x: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Logits of a timm ConvNeXt at the noise levels `label`; x (N, C, H, W), label (N,) -> (N, K)."""
        x = network.stem(x)
        for stage, (gamma, beta) in zip(network.stages, self.modulations(label), strict=True):
            x = stage(x)
            x = x * (1 + gamma).to(x.dtype) + beta.to(x.dtype)
        return network.forward_head(network.norm_pre(x))


def build(network: nn.Module) -> FiLM:
    """FiLM for the stages of a timm ConvNeXt."""
    return FiLM([stage["num_chs"] for stage in network.feature_info])
