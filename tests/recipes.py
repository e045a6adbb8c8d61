"""Recipes for tests as plain values, the form that they have in the configuration, Snakemake's params and JSON."""

from learnability.study.options import noise_options
from learnability.study.recipe import Recipe

IMAGE = {
    "model": "resnet18",
    "model_options": {"layers": [1, 1, 1, 1], "channels": [8, 16, 16, 16]},
    "init": "random",
    "loss": "ldam_drw",
    "max_margin": 0.5,
    "scale": 30,
    "drw": {"after_epoch": 2, "lr_factor": 0.1, "reset_patience": True, "beta": 0.999},
    "lr": 2e-3,
    "weight_decay": 0,
    "batch_size": 16,
    "epochs": 4,
    "patience": 9,
    "augment": ["flip", "rotate"],
    "rotate_degrees": 15,
    "mask": 0,
    "latent_std": 0.5,
    "stem_patch": None,
    "head": "linear",
    "film": False,
    "noise": None,
    "noise_space": "normalised",
    "distill": None,
    "start_from": None,
    "search": None,
    "reconstructions": "cached",
    "budget_seconds": None,
}
CONVNEXT = {"depths": [1, 1, 1, 1], "dims": [8, 16, 16, 16]}
LATENT = IMAGE | {"model": "convnext_tiny", "model_options": CONVNEXT, "stem_patch": 1, "augment": [], "mask": 0.2}
DISTILL = {"teacher": {"space": "image", "recipe": "image"}, "hard_weight": 0.5, "loss": "mse", "temperature": 2}


def recipe_of(values: dict = IMAGE, **changes) -> Recipe:
    """Make a recipe from plain values, with some keys changed."""
    changed = values | changes
    if changed["noise"]:
        changed["noise"] = noise_options(changed["noise"])
    return Recipe.from_values(changed)
