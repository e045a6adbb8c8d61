"""What model.json says of a classifier before it is trained: its network, its input and how that is normalised."""

import numpy as np
import torch

from ..autoencoders.latent_units import units_on_grid
from ..classifiers.classifier import Classifier, image_moments
from ..classifiers.weights import trained_moments
from ..storage.contracts import read_json
from ..study.recipe import DESCRIBED, Recipe
from .fold_data import Fold, Inputs

MOMENTS = ("mean", "std")  # keys of model.json, and tensors of the classifier


def moments_of_images(recipe: Recipe, inputs: Inputs) -> tuple[list[float], list[float]]:
    """Mean and standard deviation that normalise images: those that the weights of the start were trained with.

    ImageNet's where there are none.
    """
    if inputs.start:
        card = read_json(inputs.start.with_name("model.json"))
        return card["mean"], card["std"]
    return trained_moments(inputs.pretrained, recipe.model) if inputs.pretrained else image_moments()


def describe_run(cell: dict, recipe: Recipe, seed: int, data: Fold, inputs: Inputs) -> dict:
    """All that is needed to build the classifier again and normalise its input: the content of model.json."""
    if cell["space"] == "latent":
        mean, deviation = data.moments
        std = np.maximum(deviation, 1e-6) / recipe.latent_std
        mean, std, channels, grid = mean.tolist(), std.tolist(), data.shape[0], list(data.shape[1:])
    else:
        (mean, std), channels, grid = moments_of_images(recipe, inputs), 3, [data.card["classifier_size"]] * 2
    return (
        cell
        | recipe.take(DESCRIBED)
        | ({"transform": recipe.transform} if recipe.transform else {})
        | {
            "noise": recipe.noise,
            "noise_unit": noise_unit(recipe, data.source, std),
            "in_channels": channels,
            "grid": grid,
            "classes": data.card["classes"],
            "mean": mean,
            "std": std,
            "seed": seed,
            "synthetic": data.card["synthetic"],
        }
        | ({"decoder_blocks": recipe.decoder_blocks} if recipe.decoder_blocks else {})
    )


def noise_unit(recipe: Recipe, source: dict, std: list[float]) -> list | None:
    """Standard deviation of noise at σ = 1 in normalised latents, nested (C, a, a); None where it is 1 everywhere.

    With `noise_space: autoencoder` noise is isotropic in the units of a generative pipeline, in which the
    autoencoder's own scale makes channels alike; normalisation per channel then makes it unlike (docs/protocol.md).
    """
    if not recipe.noise or recipe.noise_space == "normalised":
        return None
    unit = units_on_grid(source["pipeline"], len(std))[1]  # (C, a, a), in raw latents
    return (unit / np.reshape(std, (-1, 1, 1))).tolist()


def without_moments(description: dict, inputs: Inputs) -> dict:
    """What decides a training behind a decoder: its card, and not the moments of what it gives.

    GPUs differ in the last bits of those, and a training may continue on another model of GPU.
    """
    kept = {key: value for key, value in description.items() if key not in MOMENTS}
    return kept | {"autoencoder": inputs.cards()[1]}


def with_moments_of(model: Classifier, description: dict) -> dict:
    """The description, with the moments of the process that began the training where those of this one differ."""
    began = {name: getattr(model, name).flatten().cpu() for name in MOMENTS}
    unlike = {name: kept for name, kept in began.items() if not torch.equal(kept, torch.tensor(description[name]))}
    return description | {name: kept.tolist() for name, kept in unlike.items()}
