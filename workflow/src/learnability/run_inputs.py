"""What a run reads, from the files of its rule: one way for training, searching, teaching and measuring."""

from collections.abc import Mapping
from pathlib import Path

from .batches import Decode
from .classifiers.weights import pretrained_file
from .contracts import read_json
from .fold_data import Inputs
from .recipe import Recipe
from .recipes import pretrained_weights, resolve_recipe


def inputs_of_run(config: dict, recipe: Recipe, files: Mapping[str, str], decode: Decode | None = None) -> Inputs:
    """The inputs of a run; `files` are those of its rule by name, and what its recipe does not use is absent."""
    paths = {name: Path(path) for name, path in files.items() if isinstance(path, str)}
    pretrained, scale = None, 1.0
    if start := pretrained_weights(config, recipe):
        pretrained = pretrained_file(start, fetched=files.get("weights"))
    if recipe.distill:
        scale = resolve_recipe(config, recipe.distill.teacher.recipe).logit_scale
    return Inputs(
        array=paths["array"],
        dataset=paths["samples"].parent,
        folds=paths["folds"],
        autoencoder_card=paths.get("autoencoder"),
        pretrained=pretrained,
        start=paths.get("start"),
        teacher_logits=paths.get("teacher_logits"),
        teacher_scale=scale,
        decode=decode,
    )


def searched(recipe: Recipe, files: Mapping[str, str]) -> Recipe:
    """The recipe with the values that its search found best, where it has one."""
    return recipe.with_values(read_json(files["best"])["values"]) if "best" in files else recipe
