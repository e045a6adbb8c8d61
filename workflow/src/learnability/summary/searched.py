"""Searches whose best values lie at an end of what they tried: a wider space may change the scores."""

import math
from collections.abc import Collection, Iterable

from ..study.words import counted
from ..tables.labels import recipe_in_words

FEWEST_CHOICES = 3  # of two, each is an end
NEAR = 0.1  # the share of a range, on its scale, that counts as its end
MOST = 0.5  # the share of the searches from which on they are named
FEWEST = 3  # of one or two, an end is no wonder
ENDS = ("lowest", "highest")


def at_the_ends(searches: Iterable[dict], unreadable: Collection[str] = ()) -> list[str]:
    """A sentence for each recipe and key of which at least half the searches of one side chose one end.

    `searches` are the contents of best.json files. Sides are latents, and images with reconstructions; choices that
    are no numbers have no ends. In `unreadable` latents no value is better than another: they are left out.
    """
    chosen: dict[tuple[str, str], dict[str, list[str | None]]] = {}
    for best in (each for each in searches if each["autoencoder"] not in unreadable):
        side = "on latents" if best["space"] == "latent" else "on images and reconstructions"
        for key, declared in best["searched_space"].items():
            ends = chosen.setdefault((best["recipe"], key), {}).setdefault(side, [])
            ends.append(end_of(best["values"][key], declared))
    found = []
    for (recipe, key), sides in sorted(chosen.items()):
        parts = [
            f"the {end} in {ends.count(end)} of {counted(len(ends), 'search')} {side}"
            for side, ends in sides.items()
            for end in ENDS
            if len(ends) >= FEWEST and ends.count(end) >= MOST * len(ends)
        ]
        if parts:
            found.append(
                f"The best {key} of {recipe_in_words(recipe)} is often at or near an end of what was tried: "
                f"{', '.join(parts)}. A wider recipes.{recipe}.search.space.{key} may change these scores, and the gap."
            )
    return found


def end_of(value: object, declared: dict) -> str | None:
    """`lowest` or `highest` where the value is that choice, or in that tenth of the range; else None."""
    if "choices" in declared:
        low, high, near = *numeric_ends(declared["choices"]), 0.0
    else:
        low, high, near = declared["low"], declared["high"], NEAR
    if low == high:
        return None
    if declared.get("log"):
        value, low, high = map(math.log, (value, low, high))
    place = (value - low) / (high - low)
    return ENDS[0] if place <= near else ENDS[1] if place >= 1 - near else None


def numeric_ends(choices: list) -> tuple[float, float]:
    """The smallest and the largest choice; (0, 0) where they are too few or no numbers."""
    numbers = [choice for choice in choices if isinstance(choice, int | float) and not isinstance(choice, bool)]
    return (min(numbers), max(numbers)) if len(numbers) == len(choices) >= FEWEST_CHOICES else (0.0, 0.0)
