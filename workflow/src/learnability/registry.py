"""Which module holds what a value of the configuration names.

Such a module is imported only where a value names it, and only there its code belongs to a job's digest
(workflow/provenance.py): an edit of a loss reruns the trainings with that loss. This file belongs to no digest.
"""

import functools
import importlib
from types import ModuleType

from .errors import InputError

MODULES = {
    "datasets.*.format": {
        name: f"datasets.formats.{name}"
        for name in ("cardium", "ct_rate", "ct_rate_volumes", "folders", "imagenet", "isic2019", "medmnist",
                     "mimic_cxr_lt", "phantom", "table")
    },
    "autoencoders.*.class": {
        "pixel_unshuffle": "autoencoders.controls.pixel_unshuffle",
        "enciphered": "autoencoders.controls.enciphered",
        "area_downsample": "autoencoders.controls.area_downsample",
        "random_init": "autoencoders.controls.random_init",
        "MedVAE": "autoencoders.families.medvae",
        "module:Class": "autoencoders.families.custom",  # the user's own
        "diffusers": "autoencoders.families.diffusers_family",  # any class of it
    },
    "recipes.*.loss": {"ldam_drw": "training.losses.ldam_drw", "cross_entropy": "training.losses.cross_entropy"},
    "recipes.*.head": {"linear": "classifiers.heads.linear", "cosine": "classifiers.heads.cosine"},
    "recipes.*.noise.family": {name: f"classifiers.noise.{name}" for name in ("edm", "flow", "vp")},
    "recipes.*.transform.kind": {
        name: f"classifiers.transforms.{name}" for name in ("whiten", "rotate", "low_pass")
    },
    # What a recipe has or has not.
    "recipes.*": {
        "distill": "training.losses.distillation",
        "film": "classifiers.film",
        "augment": "training.augmentation",
        "mask": "training.masking",
        "train_share": "training.share",
        "views": "training.views",
    },
    # Networks of our own; every other name is timm's.
    "recipes.*.model": dict.fromkeys(
        ("probe_linear", "probe_mlp", "probe_attention", "probe_cnn"), "classifiers.probes"
    ),
}  # fmt: skip


def find(key: str, name: str) -> str:
    """The module, below this package, of what the configuration calls `name` under `key`."""
    modules = MODULES[key]
    if name not in modules:
        *others, last = modules
        raise InputError(f"{key} is {name!r}; expected {', '.join(others)} or {last}")
    return modules[name]


@functools.cache
def load(key: str, name: str) -> ModuleType:
    """Import it."""
    return importlib.import_module(f".{find(key, name)}", __package__)


def is_control(entry: dict) -> bool:
    """Whether an autoencoder's entry is a control, which needs no weights."""
    return MODULES["autoencoders.*.class"][class_of(entry)].startswith("autoencoders.controls.")


def class_of(entry: dict) -> str:
    """What MODULES calls the class of an autoencoder's entry."""
    name = entry["class"]
    if name in MODULES["autoencoders.*.class"]:
        return name
    return "module:Class" if ":" in name else "diffusers"


def module_of_class(entry: dict) -> str:
    """The module of an autoencoder's entry."""
    return find("autoencoders.*.class", class_of(entry))


def is_own_network(model: str) -> bool:
    """Whether the network of a recipe is one of ours, not timm's."""
    return model in MODULES["recipes.*.model"]


def modules_of_network(recipe) -> list[str]:
    """The modules that the classifier of a recipe consists of, whatever values its search finds."""
    found = set()
    for variant in variants(recipe):
        found.add(find("recipes.*.head", variant.head))
        if is_own_network(variant.model):
            found.add(find("recipes.*.model", variant.model))
        if variant.film:
            found.add(find("recipes.*", "film"))
        if variant.noise:
            found.add(find("recipes.*.noise.family", variant.noise["family"]))
        if variant.transform:
            found.add(find("recipes.*.transform.kind", variant.transform["kind"]))
    return sorted(found)


def modules_of_training(recipe) -> list[str]:
    """The modules that a training with a recipe uses, whatever values its search finds."""
    found = set(modules_of_network(recipe))
    for variant in variants(recipe):
        found.add(find("recipes.*.loss", variant.loss))
        found |= {find("recipes.*", key) for key in ("distill", "augment", "mask", "views") if getattr(variant, key)}
        if variant.train_share < 1:
            found.add(find("recipes.*", "train_share"))
    return sorted(found)


def variants(recipe) -> list:
    """A recipe, and it with each single value that its search may choose, or the ends of their range."""
    space = recipe.search.space if recipe.search else {}
    values = [
        (key, value)
        for key, declared in space.items()
        for value in declared.get("choices", (declared.get("low"), declared.get("high")))
    ]
    return [recipe, *(recipe.with_values({key: value}) for key, value in values)]
