"""The first part of a decoder: its blocks in order, what they make of latents, and what that costs."""

from collections.abc import Callable
from copy import deepcopy
from itertools import pairwise

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ..errors import InputError
from ..study.recipe import WITH_BLOCKS
from .interface import Autoencoder

Shape = tuple[int, int, int]  # channels, height, width
LAST = "all"  # the block that ends in x_hat


def decoder_steps(model: nn.Module) -> dict[str, nn.Module]:
    """The blocks of a diffusers model's decoder by name: one after the other they are its `decode`, to the last bit.

    conv_in, mid, up_1, up_2 ... and all, which ends in x_hat in [-1, 1]. In AutoencoderTiny, one sequence of layers,
    mid is what comes before the first upsampling, and up_k begins with the k-th. `model` is of a class of WITH_BLOCKS.
    """
    decoder = model.decoder
    if type(model).__name__ == "AutoencoderTiny":
        return steps_of_sequence([*decoder.layers])
    first = [decoder.conv_in] if model.post_quant_conv is None else [model.post_quant_conv, decoder.conv_in]
    return {
        "conv_in": nn.Sequential(*first),
        "mid": decoder.mid_block,
        **{f"up_{k}": block for k, block in enumerate(decoder.up_blocks, 1)},
        LAST: nn.Sequential(decoder.conv_norm_out, decoder.conv_act, decoder.conv_out),
    }


def steps_of_sequence(layers: list[nn.Module]) -> dict[str, nn.Module]:
    """The blocks of DecoderTiny, with what its `forward` does before and after its layers."""
    cuts = [2, *(k for k, layer in enumerate(layers) if isinstance(layer, nn.Upsample)), len(layers) - 1]
    parts = [nn.Sequential(*layers[a:b]) for a, b in pairwise(cuts)]
    return {
        "conv_in": nn.Sequential(Pointwise(lambda z: torch.tanh(z / 3) * 3), *layers[:2]),
        "mid": parts[0],
        **{f"up_{k}": part for k, part in enumerate(parts[1:], 1)},
        LAST: nn.Sequential(layers[-1], Pointwise(lambda x: x.mul(2).sub(1))),
    }


class Pointwise(nn.Module):
    """A function of each value, as a layer."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]):
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


def first_steps(name: str, autoencoder: Autoencoder, blocks: str) -> list[nn.Module]:
    """The blocks of an autoencoder's decoder up to `blocks`; where there is none, InputError names the autoencoder."""
    known = hasattr(autoencoder, "to_model") and type(autoencoder.model).__name__ in WITH_BLOCKS
    if not known or not autoencoder.decodes:
        raise InputError(
            f"autoencoder {name} has no decoder whose blocks are known, and a recipe asks for decoder_blocks {blocks}; "
            f"take an autoencoder of {', '.join(WITH_BLOCKS)} with a decoder, or a recipe without decoder_blocks"
        )
    steps = decoder_steps(autoencoder.model)
    if blocks not in steps:
        raise InputError(f"recipes.*.decoder_blocks is {blocks!r}; the decoder of {name} has {', '.join(steps)}")
    return [*steps.values()][: [*steps].index(blocks) + 1]


def features(steps: list[nn.Module], autoencoder: Autoencoder, z: torch.Tensor, largest: int) -> torch.Tensor:
    """What blocks make of stored latents z (n, C, h, w): float32 (n, c, s, s), averaged over areas to s <= `largest`.

    A grey x_hat stays one channel.
    """
    x = autoencoder.to_model(z.float())
    for step in steps:
        x = step(x)
    x = x.float()
    return x if x.shape[-1] <= largest else nn.functional.adaptive_avg_pool2d(x, largest)


def cost_of_decoder(autoencoder: Autoencoder, image_size: int) -> dict[str, tuple[float, Shape]]:
    """cost_of_blocks of an autoencoder that has its weights, for one image image_size x image_size."""
    side = image_size // autoencoder.factor
    device = next(autoencoder.model.parameters()).device
    z = autoencoder.to_model(torch.zeros(1, autoencoder.channels, side, side, device=device))
    return cost_of_blocks(deepcopy(autoencoder.model).to("meta"), z.shape[1], z.shape[2])


def cost_of_blocks(model: nn.Module, channels: int, side: int) -> dict[str, tuple[float, Shape]]:
    """By block: operations of one latent (channels, side, side) up to its end, and what it then is.

    `model` is on torch's meta device, so that nothing is computed, and the number is the same on every machine. One
    multiplication and one addition are two operations.
    """
    found, total = {}, 0
    x = torch.empty(1, channels, side, side, device="meta", dtype=model.dtype)
    for name, step in decoder_steps(model).items():
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            x = step(x)
        total += counter.get_total_flops()
        found[name] = (float(total), tuple(x.shape[1:]))
    return found
