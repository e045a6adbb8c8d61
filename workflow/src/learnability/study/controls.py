"""Controls, which show whether a study finds existing gaps and only those: which runs they are."""

from ..errors import InputError
from .recipes import resolve_recipe, spaces_of
from .replicates import ALIKE, check_seeds, with_replicates
from .truths import CONTROLS, GAP, NO_GAP, TABLE1, UNKNOWN

LOSSLESS = "pixel_unshuffle"  # the class of the controls that lose nothing and hide nothing
ENCIPHERED = "enciphered"
Side = tuple[str, str, str]  # autoencoder, space, recipe


def truth(entry: dict) -> str | None:
    """What is known about a control's gap by construction; None if nothing is."""
    if entry.get("class") == ENCIPHERED:
        return GAP if share(entry) > 0 else NO_GAP
    return NO_GAP if entry.get("class") == LOSSLESS else None


def share(entry: dict) -> float:
    """The part of the images that an enciphered control enciphers."""
    return entry.get("options", {}).get("share", 1)


def comparisons(config: dict) -> list[dict]:
    """The comparisons on every dataset, as plain values: `first` less `second`, each an autoencoder, space, recipe.

    The controls lose nothing, so their reconstructions are the images, byte for byte, and the first side is the run in
    image space. `recipe` is that of both sides, or `table1`; `expected` is "n/a" where nothing is known, which is what
    the protocol of Table 1 makes of a lossless control. `at_chance`: the second side scores 1 / K, however trained.
    """
    if not config["study"]["controls"]:
        return []
    found = []
    for recipe, (_, *replicates) in with_replicates(config, config["study"]["recipes"].get(CONTROLS, [])).items():
        image = ("original", "image", recipe)
        for name in config["study"]["controls"]:
            entry = config["autoencoders"][name]
            at_chance = entry["class"] == ENCIPHERED and share(entry) == 1
            found.append(_comparison(name, recipe, truth(entry), image, (name, "latent", recipe), at_chance))
        for replicate in replicates:
            found.append(_comparison(replicate, recipe, NO_GAP, image, ("original", "image", replicate)))
    of_space = {space: name for name in config["study"]["recipes"][TABLE1] for space in spaces_of(config, name)}
    if {"image", "latent"} <= of_space.keys():
        first = ("original", "image", of_space["image"])  # that of reconstructions may be of their space alone
        for name in config["study"]["controls"]:
            if config["autoencoders"][name]["class"] == LOSSLESS:
                found.append(_comparison(name, TABLE1, UNKNOWN, first, (name, "latent", of_space["latent"])))
    return found


def _comparison(control: str, recipe: str, expected: str, first: Side, second: Side, at_chance: bool = False) -> dict:
    sides = {"first": list(first), "second": list(second)}
    return {"control": control, "recipe": recipe, "expected": expected, **sides, "at_chance": at_chance}


def control_columns(config: dict) -> list[Side]:
    """The runs behind them on one dataset and fold, each once."""
    sides = [tuple(entry[side]) for entry in comparisons(config) for side in ("first", "second")]
    return list(dict.fromkeys(sides))


def check_controls(config: dict) -> None:
    """Refuse controls of which no truth is known, or that no recipe can judge; each message names the key."""
    names, recipes = config["study"]["controls"], config["study"]["recipes"].get(CONTROLS, [])
    for name in names:
        if name not in config["autoencoders"]:
            known = sorted(config["autoencoders"])
            raise InputError(f"study.controls: {name!r} is not defined under autoencoders; known are {known}")
        if truth(config["autoencoders"][name]) is None:
            raise InputError(
                f"study.controls: no truth is known for {name}; take controls of class {LOSSLESS} or {ENCIPHERED}, and "
                "name others in study.autoencoders"
            )
    if not names:
        return
    if not recipes:
        raise InputError(
            f"study.recipes.{CONTROLS}: names no recipe, and study.controls names {names}; write one of image and "
            "latent space, then replicates of it: [matched, image_again]"
        )
    check_seeds(config, CONTROLS)
    for recipe, (_, *replicates) in with_replicates(config, recipes).items():
        check_judge(config, recipe, recipes[0])
        for name in replicates:
            if "image" not in spaces_of(config, name):
                raise InputError(
                    f"study.recipes.{CONTROLS}: {name} is compared in image space; add it to recipes.{name}.spaces"
                )


def check_judge(config: dict, name: str, first: str) -> None:
    """Refuse a recipe that is no replicate and cannot judge the controls; `first` is the first of the list."""
    if {"image", "latent"} <= set(spaces_of(config, name)):
        return
    unlike = sorted(resolve_recipe(config, first).unlike(resolve_recipe(config, name), ALIKE))
    why = f"{name} is not a replicate of {first}: it has another {unlike[0]}. " if unlike else ""
    raise InputError(
        f"study.recipes.{CONTROLS}: {why}A recipe judges the controls, or is a replicate of one that does; to judge it "
        f"must be used in image and latent space, and {name} is used in {spaces_of(config, name)}"
    )
