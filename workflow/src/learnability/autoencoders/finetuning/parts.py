"""What fine-tuning needs of the classes that it can tune, which name it differently."""

import torch
from torch import nn


def select_weights(model: nn.Module, which: str) -> nn.Module:
    """Let gradients reach `all` weights of an autoencoder, or those of its `decoder` alone; returns it."""
    model.requires_grad_(which == "all")
    for name in ("decoder", "post_quant_conv"):
        if part := getattr(model, name, None):  # post_quant_conv, which not all have, is on the decoder's side
            part.requires_grad_(True)
    return model


def trained_weights(network: nn.Module) -> list[nn.Parameter]:
    return [weight for weight in network.parameters() if weight.requires_grad]


def draw_latent(model: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
    """A sample z (N, C, h, w) of the posterior and its KL per image, averaged; without one the code itself and None."""
    code = model.encode(x)
    if not hasattr(code, "latent_dist"):
        return code.latents, None
    return code.latent_dist.sample(), code.latent_dist.kl().mean()


def last_weight(model: nn.Module) -> nn.Parameter:
    """The weight of the decoder's last convolution."""
    decoder = model.decoder
    return (decoder.conv_out if hasattr(decoder, "conv_out") else decoder.layers[-1]).weight
