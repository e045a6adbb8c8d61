"""Floating-point operations of the networks of a study, counted by torch on networks without weights.

One multiplication and one addition are two operations. Nothing is computed and no weights are needed: the tensors are
on torch's `meta` device.
"""

import json
from contextlib import suppress
from functools import cache

import torch
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from ..autoencoders.families.architectures import configuration
from ..autoencoders.families.diffusers_weights import hush_own_key
from ..classifiers.classifier import build_network, build_transform
from ..study.array_sizes import row_shape
from ..study.cells import all_cells, resolve_autoencoder
from ..study.recipe import SAME_NETWORK, Recipe
from ..study.recipes import resolve_recipe


class WithoutValues(TorchFunctionMode):
    """Skips operations that work in place: they set initial values of weights that are never stored."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        in_place = function.__name__.endswith("_") and not function.__name__.endswith("__")
        return [*args, *(kwargs or {}).values()][0] if in_place else function(*args, **(kwargs or {}))


def count(call, *inputs: torch.Tensor) -> float:
    """Count the operations of one call."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        call(*inputs)
    return float(counter.get_total_flops())


@cache
def _classifier(described: str, channels: int, side: int) -> tuple[float, int, int]:
    """Operations, also of a transform, and parameters with one class; and the features that its last layer reads."""
    description = json.loads(described) | {"in_channels": channels, "grid": [side, side], "classes": ["one"]}
    with torch.device("meta"), WithoutValues():
        network, x = build_network(description).eval(), torch.empty(1, channels, side, side)
    transform = build_transform(description)
    before = count(transform.to("meta"), x) if transform else 0.0
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return before + count(network, x), parameters, network.num_features


def classifier_operations(recipe: Recipe, channels: int, side: int, classes: int) -> tuple[float, int]:
    """Operations of one forward pass of one sample (channels, side, side), and parameters; FiLM is not counted."""
    described = recipe.take(SAME_NETWORK)  # what build_network and build_transform read
    operations, parameters, features = _classifier(json.dumps(described, sort_keys=True), channels, side)
    further = classes - 1  # each adds a row of weights and a bias to the last layer
    return operations + 2 * features * further, parameters + (features + 1) * further


@cache
def _autoencoder(described: str, side: int) -> tuple[float, float, int] | None:
    entry = json.loads(described)
    with torch.device("meta"), WithoutValues():
        model = build_model(entry)
        if model is None:
            return None
        model.eval()
        image = torch.empty(1, model.config.in_channels, side, side)
        latent = torch.empty(1, entry["channels"], side // entry["factor"], side // entry["factor"])
    both = count(model.encode, image), count(model.decode, latent)
    return *both, sum(parameter.numel() for parameter in model.parameters())


def autoencoder_operations(entry: dict, side: int) -> tuple[float, float, int] | None:
    """Operations of encoding and of decoding one image side x side, and parameters; None if unknown."""
    return _autoencoder(json.dumps(entry, sort_keys=True), side)


@cache
def _blocks(described: str, side: int) -> dict | None:
    from ..autoencoders.decoder_blocks import cost_of_blocks

    entry = json.loads(described)
    with torch.device("meta"), WithoutValues():
        model = build_model(entry)
    return model and cost_of_blocks(model.eval(), entry["channels"], side // entry["factor"])


def decoder_part(config: dict, autoencoder: str, blocks: str) -> tuple[float, int, int] | None:
    """Operations of a decoder's blocks up to `blocks` for one latent, and channels and side of what a classifier sees.

    None where they are not known.
    """
    costs = _blocks(json.dumps(resolve_autoencoder(config, autoencoder), sort_keys=True), config["image_size"])
    if costs is None or blocks not in costs:
        return None
    operations, (channels, side, _) = costs[blocks]
    return operations, channels, min(side, config["classifier_size"])


def count_ahead(config: dict) -> None:
    """Count every network of a study, so that the functions above answer at once.

    Networks that cannot be counted are skipped; whoever asks for one is told why.
    """
    with suppress(Exception):
        for space, autoencoder, recipe in {(c["space"], c["autoencoder"], c["recipe"]) for c in all_cells(config)}:
            with suppress(Exception):
                resolved = resolve_recipe(config, recipe, space)
                channels, side, _ = row_shape(config, space, autoencoder)
                if resolved.decoder_blocks:
                    _, channels, side = decoder_part(config, autoencoder, resolved.decoder_blocks)
                classifier_operations(resolved, channels, side, classes=1)
    for name in config["study"]["autoencoders"]:
        with suppress(Exception):
            autoencoder_operations(resolve_autoencoder(config, name), config["image_size"])


def build_model(entry: dict) -> torch.nn.Module | None:
    """The network of an entry, from the configuration beside its weights or from the hub's; else None."""
    import diffusers

    if entry["class"] == "MedVAE":
        from ..autoencoders.families.medvae import build_model as build_medvae
        from ..autoencoders.families.medvae_keys import VARIANTS

        return build_medvae(VARIANTS[entry["variant"]])
    kind = getattr(diffusers, entry["class"], None)
    if kind is None or entry.get("layout") == "packed":
        return None
    known = configuration(entry)
    hush_own_key()
    return known and kind.from_config(known)


@cache
def perceptual_operations(side: int) -> float:
    """Operations of VGG16's features, which LPIPS compares, for one image side x side."""
    from torchvision.models.vgg import cfgs, make_layers

    with torch.device("meta"):
        return count(make_layers(cfgs["D"]), torch.empty(1, 3, side, side))
