"""How much work a job is: its kind, which has a rate, and units, to which its time is proportional.

The same functions describe a planned job (from the configuration), a job that ran (from its benchmark), and a job that
asks a cluster for time.
"""

import json
from typing import NamedTuple

from ..study.array_sizes import ArraySize
from ..study.recipe import Recipe

TRAINING_RULES = ("train_classifier", "train_with_decoder")
SEARCH_RULES = ("search_recipe", "assist_search")
CLASSIFIER_RULES = (
    *TRAINING_RULES, *SEARCH_RULES, "compute_teacher_logits", "score_across_spaces", "trace_noise_curve",
    "measure_efficiency",
)  # fmt: skip
ENCODING_RULES = ("encode_dataset", "encode_latents", "encode_views", "encode_latent_views")
DIAGNOSING_RULES = ("diagnose_encoding",)
GPU_RULES = (*CLASSIFIER_RULES, *ENCODING_RULES, *DIAGNOSING_RULES, "finetune_autoencoder")
AFTER_BUDGET = 2  # folds predicted after a training's budget: validation (the budget cut that epoch short), then test
COSTLY_RULES = (*GPU_RULES, "prepare_dataset")  # those with a benchmark; the others take seconds


class Work(NamedTuple):
    """The kind of a job and its units. Units times the rate of its rule and kind, in seconds per unit, are its time."""

    kind: str
    units: float


def describe_work(rule: str, params: dict, array: ArraySize, name: str = "", epochs: int | None = None) -> Work:
    """The work of a costly rule from its parameters and the array that it reads or makes.

    `name` is its autoencoder. The units are the megapixels of the array, times the job's passes over it (`passes`).
    """
    if rule == "prepare_dataset":
        return Work(params["entry"]["format"], array.megapixels)
    if rule in (*ENCODING_RULES, *DIAGNOSING_RULES):
        return Work(kind_of_autoencoder(name, params["entry"]), array.megapixels * params.get("copies", 1))
    if rule == "finetune_autoencoder":
        tuning = params["entry"]["finetune"]
        images = ArraySize(tuning["steps"] * tuning["batch_size"], array.channels, array.side)
        parts = [kind_of_autoencoder(name, params["entry"]), tuning["perceptual"]]
        parts += ["decoder alone" if tuning.get("train", "all") == "decoder" else ""]
        parts += ["equivariance" if tuning.get("equivariance") else ""]
        return Work(", ".join(filter(None, parts)), images.megapixels)
    recipe = params["recipe"]
    if rule == "measure_efficiency":  # it makes its own batches, however many images there are
        return Work(kind_of_classifier(recipe, array.channels, name), array.side**2 / 1e6)
    return Work(kind_of_classifier(recipe, array.channels, name), passes(rule, params, epochs) * array.megapixels)


def passes(rule: str, params: dict, epochs: int | None = None) -> float:
    """How often a classifier's job goes over its array.

    `epochs` are those that a training ran. Without them, it is taken to run to the end of its recipe: early stopping
    makes it shorter, never longer.
    """
    recipe = params["recipe"]
    if rule in TRAINING_RULES:
        return (epochs or recipe.epochs) * of_an_epoch(recipe, params)
    if rule in SEARCH_RULES:  # workers share the trials
        return recipe.search.trials * recipe.epochs / recipe.search.workers * of_an_epoch(recipe, params)
    if rule == "trace_noise_curve":
        from ..training.evaluation import CURVE  # here, because it waits for torch

        return len(CURVE) / params["n_splits"]  # of the test rows
    if rule == "score_across_spaces":
        return 2 / params["n_splits"]  # the test rows in both spaces
    return 1 - 2 / params["n_splits"]  # teacher logits: the training rows


def of_an_epoch(recipe: Recipe, params: dict) -> float:
    """Cost of an epoch on a share of the rows, relative to one on all. Validating a row costs a third of a step."""
    if recipe.train_share == 1 or recipe.budget_seconds:
        return 1.0
    train = 3 * (params["n_splits"] - 2)
    return (train * recipe.train_share + 1) / (train + 1)


def kind_of_autoencoder(name: str, entry: dict) -> str:
    return f"{name}, {entry['class']} {entry['channels']} at 1/{entry['factor']}"


def kind_of_classifier(recipe: Recipe, channels: int, name: str) -> str:
    """The network and its input, on which its speed depends; `name` is its autoencoder."""
    options = json.dumps(recipe.model_options, sort_keys=True) if recipe.model_options else ""
    parts = [recipe.model, options, f"stem {recipe.stem_patch}" if recipe.stem_patch else ""]
    parts += [f"{channels} channels", "on the fly" if recipe.reconstructions == "on_the_fly" else ""]
    parts += [f"behind {recipe.decoder_blocks}" if recipe.decoder_blocks else ""]
    parts += [f"decoder of {name}" if recipe.runs_decoder else ""]
    return ", ".join(filter(None, parts))
