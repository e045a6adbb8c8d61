"""What a run reads, from the files of its rule: one way for training, searching, teaching and measuring."""

from collections.abc import Mapping
from pathlib import Path

from .batches import Decode
from .classifiers.weights import pretrained_file
from .contracts import read_json
from .fold_data import Inputs
from .recipes import logit_scale, pretrained_weights, resolve_recipe
from .search_space import with_values


def inputs_of_run(config: dict, recipe: dict, files: Mapping[str, str], decode: Decode | None = None) -> Inputs:
    """The inputs of a run; `files` are those of its rule by name, and what its recipe does not use is absent."""
    paths = {name: Path(path) for name, path in files.items() if isinstance(path, str)}
    pretrained, scale = None, 1.0
    if start := pretrained_weights(config, recipe):
        pretrained = pretrained_file(start, fetched=files.get("weights"))
    if recipe["distill"]:
        scale = logit_scale(resolve_recipe(config, recipe["distill"]["teacher"]["recipe"]))
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


def searched(recipe: dict, files: Mapping[str, str]) -> dict:
    """The recipe with the values that its search found best, where it has one."""
    return with_values(recipe, read_json(files["best"])["values"]) if "best" in files else recipe
