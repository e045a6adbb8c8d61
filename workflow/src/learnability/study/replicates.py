"""Recipes that are one recipe trained again: which are the replicates of which."""

from ..errors import InputError
from .recipe import KEYS
from .recipes import resolve_recipe

ALIKE = set(KEYS) - {"replicate"}


def with_replicates(config: dict, names: list[str]) -> dict[str, list[str]]:
    """The recipes that are no replicate of one before, each with all its trainings: its own name, then replicates."""
    found: dict[str, list[str]] = {}
    for name in names:
        recipe = resolve_recipe(config, name)
        first = (other for other in found if not resolve_recipe(config, other).unlike(recipe, ALIKE))
        found.setdefault(next(first, name), []).append(name)
    return found


def check_seeds(config: dict, table: str) -> None:
    """Refuse two recipes of a table that are the same training."""
    for first, *again in with_replicates(config, config["study"]["recipes"].get(table, [])).values():
        seen = {resolve_recipe(config, first).replicate: first}
        for name in again:
            number = resolve_recipe(config, name).replicate
            if number in seen:
                raise InputError(
                    f"study.recipes.{table}: {name} has the seeds of {seen[number]}; give it another `replicate`"
                )
            seen[number] = name
