"""Tries on torch's meta device, without data, whether a study's classifiers can be built, trained and started.

It is apart from missing.py, because a run must not wait for torch before its first job.
"""

import json
import warnings
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import torch

from ..classifiers.classifier import build_classifier
from ..classifiers.weights import FILE, pretrained_file
from ..errors import InputError
from ..registry import variants
from ..study.recipe import SAME_NETWORK, Recipe
from ..study.recipes import pretrained_weights, resolve_recipe
from ..study.sources import is_folder
from .lines import in_one_line
from .missing import behind, seen_shape


def wrong_networks(config: dict, cells: Iterable[dict]) -> dict[str, str]:
    """What is wrong with the networks of these runs: each message once, with the recipe of the first such run."""
    found = {}
    for cell in cells:
        recipe = resolve_recipe(config, cell["recipe"], cell["space"])
        try:
            shape = seen_shape(config, cell["space"], cell["autoencoder"], cell["recipe"])
        except InputError as error:
            found.setdefault(str(error), cell["recipe"])
            continue
        if shape is None:
            continue
        weights = weights_there(config, recipe)
        for variant in variants(recipe):
            if message := wrong_network(variant, cell["space"], shape, weights):
                message = message.replace("recipes.*", f"recipes.{cell['recipe']}")
                where = f"recipes.{cell['recipe']}{behind(recipe)} on {cell['autoencoder']}: "
                found.setdefault(message if message.startswith("recipes.") else where + message, cell["recipe"])
    return found


def weights_there(config: dict, recipe: Recipe) -> str | None:
    """The file of weights that a recipe starts from, if it is already on this machine."""
    entry = pretrained_weights(config, recipe)
    if entry is None:
        return None
    try:
        if is_folder(entry["source"]):
            return str(pretrained_file(entry))
    except InputError:  # check_pretrained reports it
        return None
    fetched = Path(config["results"], "weights", recipe.model, FILE)
    return str(fetched) if fetched.is_file() else None


def wrong_network(recipe: Recipe, space: str, shape: tuple[int, int, int], weights: str | None) -> str | None:
    """Why a recipe cannot train on rows (C, H, W) of a space, starting from a file of weights; None if it can."""
    described = recipe.take([*SAME_NETWORK, "film"]) | {"noise": recipe.noise, "latent_std": 1.0, "shape": shape}
    described["space"] = space if weights else ""  # only the use of weights depends on the space
    described["batch"] = min(recipe.batch_size, 2)  # batch norm cannot train on one value
    message = _try(json.dumps(described, sort_keys=True), weights)
    options, side = recipe.model_options, shape[1]
    if message is None or "img_size" in options:
        return message
    described["model_options"] = options | {"img_size": side}
    if _try(json.dumps(described, sort_keys=True), weights) is None:
        message += f". Its input size is fixed: write `model_options: {{img_size: {side}}}` in the recipe"
    return message


@cache
def _try(described: str, weights: str | None) -> str | None:
    """Try on the meta device, and then with numbers if that fails, because some operations need them."""
    try:
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about copying weights to the meta device, which copies no numbers
            _use(json.loads(described), weights, "meta")
    except InputError as error:
        return str(error)
    except Exception:
        try:
            with torch.random.fork_rng(devices=[]):
                _use(json.loads(described), weights, "cpu")
        except InputError as error:
            return str(error)
        except Exception as error:
            return f"{json.loads(described)['model']} cannot be trained on this input: {in_one_line(error)}"
    return None


def _use(described: dict, weights: str | None, device: str) -> None:
    """Build a classifier of two classes and give it a batch, in training and in evaluation mode."""
    batch, (channels, height, width) = described.pop("batch"), described.pop("shape")
    described |= {"in_channels": channels, "grid": [height, width], "classes": ["first", "second"]}
    described |= {"mean": [0.0] * channels, "std": [1.0] * channels, "noise_unit": None}
    model = build_classifier(described, Path(weights) if weights else None).to(device)
    for mode in (True, False):
        with torch.set_grad_enabled(mode):
            logits = model.train(mode)(torch.zeros(batch, channels, height, width, device=device))
        found = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        if found != (batch, 2):
            raise InputError(
                f"{described['model']} returns {found} of {batch} images and 2 classes; expected {(batch, 2)}: take a "
                "network that ends in one layer of classes"
            )
