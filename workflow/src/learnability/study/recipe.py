"""A recipe, the way to train a classifier, as one typed thing: its fields are the keys of `recipes.<name>`.

`base` and `spaces` are no part of it: they say what a recipe inherits and where it is used (recipes.py).
"""

import functools
from collections.abc import Iterable
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from types import NoneType
from typing import Literal, Self, get_args

from ..errors import InputError


def said(confound: str = "", same_network: bool = False, described: bool = False) -> dict:
    """The description of a recipe's key, as metadata of its field.

    `confound` is what classifiers are said to differ in where their values differ, "" where that is not said.
    `same_network`: must be equal in a run that others start from. `described`: model.json repeats it, because the
    classifier is built again from it.
    """
    return {"confound": confound, "same_network": same_network, "described": described}


NETWORK = said("network", same_network=True, described=True)
# The classes of autoencoders whose decoder's blocks are known (autoencoders/decoder_blocks.py), for `decoder_blocks`.
WITH_BLOCKS = ("AutoencoderKL", "AutoencoderKLFlux2", "AutoencoderTiny", "MedVAE")
SEEDS_BETWEEN = 1000  # two replicates: more than there are folds


@dataclass(frozen=True, kw_only=True)
class Reweighting:
    """The deferred switch to class weights."""

    after_epoch: int
    lr_factor: float
    reset_patience: bool
    beta: float


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """Whose logits a student matches."""

    space: Literal["image", "latent", "reconstruction"]
    recipe: str


@dataclass(frozen=True, kw_only=True)
class Distill:
    """Distillation by a teacher on the same fold."""

    teacher: Teacher
    hard_weight: float
    loss: Literal["mse", "kl"]
    temperature: float


@dataclass(frozen=True, kw_only=True)
class Search:
    """Values that are searched on the training and validation rows of a fold; `space` has a range or choices by key."""

    space: dict
    trials: int
    workers: int = 1  # they divide the work: a job that does none of it need not know how many there are
    scope: Literal["fold", "fold0"]

    def fold_of(self, fold: int) -> int:
        """The fold on whose rows the values of a run of `fold` were searched: its own, or 0 with `scope: fold0`."""
        return 0 if self.scope == "fold0" else fold


@dataclass(frozen=True, kw_only=True)
class Views:
    """Flipped and turned copies of each training image, of which one, or the image itself, is drawn at a step."""

    copies: int


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A resolved recipe: every key has its value."""

    model: str = field(metadata=NETWORK)
    model_options: dict = field(metadata=NETWORK)
    stem_patch: Literal[1, 2, 4] | dict | None = field(metadata=NETWORK)  # a dict: by space (recipes.resolve_recipe)
    head: Literal["linear", "cosine"] = field(metadata=NETWORK)
    init: Literal["imagenet", "random"] = field(metadata=said("starting weights", described=True))
    loss: Literal["ldam_drw", "cross_entropy"] = field(metadata=said("loss"))
    max_margin: float = field(metadata=said("loss"))
    scale: float = field(metadata=said("loss"))
    drw: Reweighting = field(metadata=said("loss"))
    lr: float = field(metadata=said("optimisation"))
    weight_decay: float = field(metadata=said("optimisation"))
    batch_size: int = field(metadata=said("optimisation"))
    epochs: int = field(metadata=said("optimisation"))
    patience: int = field(metadata=said("optimisation"))
    augment: list[Literal["flip", "rotate"]] = field(metadata=said("augmentation"))
    rotate_degrees: float = field(metadata=said())
    mask: float = field(metadata=said("masking"))
    film: bool = field(metadata=said("noise", described=True))
    noise: dict | None = field(metadata=said("noise"))  # its keys depend on its family (options.py)
    noise_space: Literal["normalised", "autoencoder"] = field(metadata=said(described=True))
    latent_std: float = field(metadata=said(described=True))
    distill: Distill | None = field(metadata=said("distillation"))
    start_from: str | None = field(metadata=said("starting weights"))
    search: Search | None = field(metadata=said("optimisation"))
    reconstructions: Literal["cached", "on_the_fly"] = field(metadata=said())
    budget_seconds: float | None = field(metadata=said("optimisation"))
    # A key that has its default is left out of the values, because results are older than the key.
    replicate: int = field(default=0, metadata=said())  # 0: the first training
    train_share: float = field(default=1.0, metadata=said("training images"))  # of the groups of the training rows
    transform: dict | None = field(default=None, metadata=said("transform", same_network=True))  # study/options.py
    decoder_blocks: str | None = field(default=None, metadata=said())  # how much of the decoder stands in front
    views: Views | None = field(default=None, metadata=said("augmentation"))

    @classmethod
    def from_values(cls, values: dict, where: str = "recipe") -> Self:
        """A recipe from plain values, as JSON and Snakemake's params carry them.

        A key that a recipe does not have, and one that is missing, is an InputError; `where` begins its message.
        """
        return _built(cls, values, where)

    def values(self) -> dict:
        """The plain values that `from_values` makes an equal recipe of, without keys that have their default."""
        return {name: value for name, value in asdict(self).items() if name not in DEFAULTS or value != DEFAULTS[name]}

    def recorded(self) -> dict:
        """The plain values that results depend on: all but how many workers share a search."""
        values = self.values()
        if values["search"]:
            del values["search"]["workers"]
        return values

    def with_values(self, values: dict) -> Self:
        """A copy in which each dotted key (distill.hard_weight) has its new value."""
        changed = self.values()
        for dotted, value in values.items():
            *above, last = dotted.split(".")
            place = changed
            for part in above:
                place = place.get(part) if isinstance(place, dict) else None
            if not isinstance(place, dict) or last not in place:
                raise InputError(f"{dotted}: the recipe has no such value; it was searched for another recipe")
            place[last] = value
        return self.from_values(changed)

    def take(self, keys: Iterable[str]) -> dict:
        """Some of its values by key."""
        return {name: getattr(self, name) for name in keys}

    def unlike(self, other: Self, keys: Iterable[str]) -> list[str]:
        """Those of the keys in which two recipes differ."""
        return [name for name in keys if getattr(self, name) != getattr(other, name)]

    def seed_of(self, seed: int, fold: int) -> int:
        """The seed of a run on `fold` in a study with `seed`; a replicate differs from its base in nothing else."""
        return seed + fold + SEEDS_BETWEEN * self.replicate

    def first_seed(self, seed: int) -> int:
        """The seed that a run with `seed` would have as the first training of its recipe."""
        return seed - SEEDS_BETWEEN * self.replicate

    @property
    def runs_decoder(self) -> bool:
        """Whether each batch of latents passes a frozen decoder, or its first part, before the network."""
        return self.reconstructions == "on_the_fly" or self.decoder_blocks is not None

    @property
    def remedies(self) -> list[str]:
        """What it does against the gap: the kind of its transform, and the keys `views` and `decoder_blocks`."""
        kind = [self.transform["kind"]] if self.transform else []
        return kind + [key for key in ("views", "decoder_blocks") if getattr(self, key)]

    @property
    def logit_scale(self) -> float:
        """Factor between the network's logits and those of cross-entropy: LDAM learns at 1/s (docs/protocol.md)."""
        return float(self.scale) if self.loss == "ldam_drw" else 1.0


def _built(kind: type, values: dict, where: str):
    """A dataclass from plain values; parts of it that are dataclasses are built of theirs."""
    names, required, parts = _shape(kind)
    if unknown := sorted(values.keys() - names):
        raise InputError(f"{where}.{unknown[0]}: no such key; it has {sorted(names)}")
    if missing := sorted(required - values.keys()):
        raise InputError(f"{where}: missing {missing}; write them, or name a `base` that has them")
    built = dict(values)
    for name, (part, may_be_none) in parts.items():
        if values.get(name) is None and may_be_none:
            continue
        if not isinstance(values[name], dict):
            raise InputError(f"{where}.{name} is {values[name]!r}; expected its keys, {sorted(_shape(part)[0])}")
        built[name] = _built(part, values[name], f"{where}.{name}")
    return kind(**built)


@functools.cache  # a graph resolves thousands of recipes
def _shape(kind: type) -> tuple[frozenset[str], frozenset[str], dict[str, tuple[type, bool]]]:
    """The keys of a dataclass, those that must be given, and its parts: their class, and whether they may be None."""
    items = fields(kind)
    parts = {}
    for item in items:
        kinds = get_args(item.type) or (item.type,)
        if part := next((one for one in kinds if is_dataclass(one)), None):
            parts[item.name] = (part, NoneType in kinds)
    required = frozenset(item.name for item in items if item.default is MISSING)
    return frozenset(item.name for item in items), required, parts


KEYS = tuple(item.name for item in fields(Recipe))
DEFAULTS = {item.name: item.default for item in fields(Recipe) if item.default is not MISSING}
SAME_NETWORK = tuple(item.name for item in fields(Recipe) if item.metadata["same_network"])
DESCRIBED = tuple(item.name for item in fields(Recipe) if item.metadata["described"])
# What classifiers of two spaces may differ in beside what they see, by the keys of their recipes.
CONFOUNDS = {
    confound: tuple(item.name for item in fields(Recipe) if item.metadata["confound"] == confound)
    for confound in dict.fromkeys(item.metadata["confound"] for item in fields(Recipe))
    if confound
}
