"""What a run reads, from the files of its rule: one way for training, searching, teaching and measuring."""

from collections.abc import Mapping
from pathlib import Path

import torch

from .classifiers.weights import pretrained_file
from .contracts import read_json
from .fold_data import Inputs
from .recipes import logit_scale, pretrained_weights, resolve_recipe
from .search_space import with_values
from .study import resolve_autoencoder


def inputs_of_run(config: dict, cell: dict, recipe: dict, files: Mapping[str, str], device: torch.device) -> Inputs:
    """The inputs of the run `cell`; `files` are those of its rule by name, and what a recipe does not use is absent."""
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
        decode=decoder_of_run(config, cell, paths, device) if recipe["reconstructions"] == "on_the_fly" else None,
    )


def decoder_of_run(config: dict, cell: dict, paths: Mapping[str, Path], device: torch.device):
    """Stored latents to images, by the autoencoder that made them."""
    from .autoencoders.weights import finetuned  # here, because other runs do not wait for diffusers
    from .decoded_rows import decoder

    entry = resolve_autoencoder(config, cell["autoencoder"])
    if weights := paths.get("decoder"):  # fetched or fine-tuned by the workflow
        folder = weights.parent
        entry = finetuned(entry, folder) if "finetune" in entry else entry | {"folder": str(folder)}
    card = read_json(paths["samples"].with_name("dataset.json"))
    return decoder(entry, device, card["classifier_size"])


def searched(recipe: dict, files: Mapping[str, str]) -> dict:
    """The recipe with the values that its search found best, where it has one."""
    return with_values(recipe, read_json(files["best"])["values"]) if "best" in files else recipe
