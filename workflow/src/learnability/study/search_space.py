"""What a search may vary: `recipes.<name>.search.space`, checked before anything runs."""

import itertools
import math

from ..errors import InputError
from .configuration import wrong_in_recipe
from .options import noise_options
from .recipe import Recipe
from .search_grid import combinations
from .words import counted

WHOLE = {"batch_size", "epochs", "patience", "stem_patch", "drw.after_epoch", "noise.steps", "transform.seed"}
# A job's files, seed and training rows follow from these, and are there before any value is tried.
GRAPH = ("model", "init", "start_from", "reconstructions", "distill.teacher", "search", "replicate", "decoder_blocks",
         "train_share", "views")  # fmt: skip
OWN_KEYS = ("noise.family", "noise.draw", "transform.kind")  # each goes with other keys, which a search could not give


def check_search(recipe: Recipe, name: str) -> None:
    """Refuse a search that cannot run; `recipe` is recipes.`name`, resolved. Each message names its key."""
    where, search = f"recipes.{name}.search", recipe.search
    for key, number in (("trials", search.trials), ("workers", search.workers)):
        if not is_number(number, int) or number < 1:
            raise InputError(f"{where}.{key} is {number!r}; at least 1, a whole number")
    if not search.space:
        raise InputError(f"{where}.space is empty; name at least one value to search, or set `search: null`")
    known = searchable(recipe.values())
    for key, declared in search.space.items():
        if key not in known:
            raise InputError(f"{where}.space.{key}: not a value of the recipe that can be searched; those are {known}")
        if declared.keys() == {"choices"}:
            check_choices(declared["choices"], f"{where}.space.{key}.choices")
        elif declared.keys() - {"log"} == {"low", "high"}:
            check_range(declared, key, f"{where}.space.{key}")
        else:
            raise InputError(f"{where}.space.{key} has {sorted(declared)}; either low and high (and log), or choices")
        check_bounds(declared, key, f"{where}.space.{key}")
    check_noise(recipe, f"{where}.space")
    if search.trials > (count := combinations(search.space)):
        raise InputError(
            f"{where}.trials is {search.trials}; its choices have {counted(count, 'combination')}: write {count}"
        )


def check_bounds(declared: dict, key: str, where: str) -> None:
    """Refuse a choice, or an end of a range, that the recipe itself could not have."""
    for value in extremes(declared):
        if wrong := wrong_in_recipe(key, value):
            raise InputError(f"{where}: {wrong}; search only what `{key}` of a recipe may be (docs/configuration.md)")


def check_noise(recipe: Recipe, where: str) -> None:
    """Refuse values from which a trial could draw no noise level: each is sound alone, and not with every other.

    What is asked of them grows or falls with each number, so the ends of a range speak for all between them.
    """
    space = {key: extremes(declared) for key, declared in recipe.search.space.items() if key.startswith("noise.")}
    for values in itertools.product(*space.values()) if space else ():
        drawn = dict(zip(space, values, strict=True))
        try:
            noise_options(recipe.with_values(drawn).noise)
        except InputError as error:
            raise InputError(f"{where}, with {drawn}: {str(error).removeprefix('recipes.*.')}") from None


def extremes(declared: dict) -> list:
    """The choices, or the two ends of a range."""
    return declared["choices"] if "choices" in declared else [declared["low"], declared["high"]]


def searchable(values: dict, prefix: str = "") -> list[str]:
    """Dotted keys of the single values of a recipe that do not change which files its jobs read."""
    found = []
    for key, value in values.items():
        dotted = prefix + key
        if dotted not in (*GRAPH, *OWN_KEYS) and not isinstance(value, list):
            found += searchable(value, f"{dotted}.") if isinstance(value, dict) else [dotted]
    return sorted(found)


def check_choices(choices: list, where: str) -> None:
    """At least one choice, each a single value, none twice."""
    if not choices:
        raise InputError(f"{where} is empty; list at least one value")
    for choice in choices:
        if not isinstance(choice, bool | int | float | str | None):
            raise InputError(f"{where}: {choice!r} is no single value; choices are numbers, words, true, false or null")
        if choices.count(choice) > 1:
            raise InputError(f"{where}: {choice!r} appears twice; list each value once")


def check_range(declared: dict, key: str, where: str) -> None:
    """Two finite numbers, the first below the second, above zero on a log scale; not for whole numbers."""
    for end in ("low", "high"):
        if not is_number(declared[end], int | float) or not math.isfinite(declared[end]):
            advice = "write a number (in YAML 1.0e-4 is one, 1e-4 is a text)"
            raise InputError(f"{where}.{end} is {declared[end]!r}; {advice}")
    if key in WHOLE:
        raise InputError(f"{where}: a range gives fractions, and this is a whole number; list its values as `choices`")
    if declared["low"] >= declared["high"]:
        raise InputError(f"{where}: low, {declared['low']}, must be below high, {declared['high']}")
    if declared.get("log", False) and declared["low"] <= 0:
        raise InputError(f"{where}.low is {declared['low']}; a log scale needs it above 0: raise it, or drop `log`")


def is_number(value, kind) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)  # to Python, True is a whole number
