"""Recipes, ways to train a classifier, read from the configuration: what each inherits, and which runs it builds on."""

from .classifiers.options import check_options
from .contracts import InputError
from .search_space import check_search

RECIPE_KEYS = {
    "model", "model_options", "stem_patch", "head", "init", "loss", "max_margin", "scale", "drw", "lr", "weight_decay",
    "batch_size", "epochs", "patience", "augment", "rotate_degrees", "mask", "latent_std", "film", "noise",
    "noise_space", "distill", "start_from", "search", "reconstructions", "budget_seconds",
}  # fmt: skip
SAME_NETWORK = ("model", "model_options", "stem_patch", "head")


def resolve_recipe(config: dict, name: str) -> dict:
    """Return a recipe with what it inherits from its `base`; every training key must be there in the end."""
    recipes, seen = config["recipes"], []
    resolved: dict = {}
    while name is not None:
        if name not in recipes or name in seen:
            raise InputError(f"recipes.{name}: {'its bases form a circle' if name in seen else 'not defined'}")
        seen.append(name)
        resolved = recipes[name] | resolved
        name = recipes[name].get("base")
    missing = RECIPE_KEYS - resolved.keys()
    if missing:
        raise InputError(f"recipes.{seen[0]}: missing {sorted(missing)}; write them, or name a `base` that has them")
    return {key: resolved[key] for key in sorted(RECIPE_KEYS)}


def spaces_of(config: dict, name: str) -> list[str]:
    """The spaces in which a recipe is used: its own, or those of the nearest base that says it."""
    recipe = name
    while recipe is not None:
        entry = config["recipes"][recipe]
        if "spaces" in entry:
            return entry["spaces"]
        recipe = entry.get("base")
    raise InputError(f"recipes.{name}.spaces: missing; say in which spaces it is used")


def pretrained_weights(config: dict, recipe: dict) -> dict | None:
    """The `pretrained` entry that a resolved recipe starts from, or None where it starts from none."""
    if recipe["init"] == "random" or recipe["start_from"]:
        return None
    if recipe["model"] not in config["pretrained"]:
        raise InputError(f"pretrained.{recipe['model']}: missing; name its weights there, or set `init: random`")
    return config["pretrained"][recipe["model"]]


def logit_scale(recipe: dict) -> float:
    """Factor between a network's logits and those of cross-entropy: LDAM learns them at 1/s (docs/protocol.md)."""
    return float(recipe["scale"]) if recipe["loss"] == "ldam_drw" else 1.0


def teacher_run(config: dict, cell: dict) -> dict | None:
    """The run that teaches the run `cell`, on the same fold and autoencoder; None where its recipe has no teacher."""
    distill = resolve_recipe(config, cell["recipe"])["distill"]
    if not distill:
        return None
    teacher = distill["teacher"]
    autoencoder = "original" if teacher["space"] == "image" else cell["autoencoder"]
    return cell | {"autoencoder": autoencoder, "space": teacher["space"], "recipe": teacher["recipe"]}


def start_run(config: dict, cell: dict) -> dict | None:
    """The run whose weights the run `cell` starts from, on the same data and fold; None without `start_from`."""
    start_from = resolve_recipe(config, cell["recipe"])["start_from"]
    return cell | {"recipe": start_from} if start_from else None


def search_fold(recipe: dict, fold: int) -> int:
    """The fold on whose rows the values of a run of `fold` were searched: its own, or 0 with `scope: fold0`."""
    return 0 if recipe["search"]["scope"] == "fold0" else fold


def check_recipe(config: dict, name: str) -> None:
    """Refuse a recipe that cannot work, or that builds on one which is not there; each message names the key."""
    recipe, spaces = resolve_recipe(config, name), spaces_of(config, name)
    pretrained_weights(config, recipe)
    try:
        for space in spaces:
            check_options(recipe, space)
    except InputError as error:
        raise InputError(str(error).replace("recipes.*", f"recipes.{name}")) from None
    if recipe["reconstructions"] == "on_the_fly" and spaces != ["reconstruction"]:
        raise InputError(
            f"recipes.{name}.reconstructions: on_the_fly decodes latents, so `spaces` must be [reconstruction]"
        )
    if recipe["search"] and len(spaces) != 1:
        raise InputError(f"recipes.{name}.search: a search is of one space; `spaces` names {spaces}")
    if recipe["search"]:
        check_search(recipe["search"], recipe, name)
    for after in built_on(config, name):
        check_recipe(config, after)
    if recipe["distill"]:
        check_teacher(config, name, recipe["distill"])
    if recipe["start_from"]:
        check_start(config, name, recipe)


def check_teacher(config: dict, name: str, distill: dict) -> None:
    """The teacher's recipe must be used in the teacher's space."""
    teacher = distill["teacher"]
    if teacher["space"] not in spaces_of(config, teacher["recipe"]):
        raise InputError(
            f"recipes.{name}.distill.teacher: recipe {teacher['recipe']} is not used in {teacher['space']} space; "
            f"take one of {spaces_of(config, teacher['recipe'])}"
        )


def check_start(config: dict, name: str, recipe: dict) -> None:
    """The weights to start from must be of the same spaces and network; conditioning may be new, not left out."""
    start = recipe["start_from"]
    other, used = resolve_recipe(config, start), spaces_of(config, start)
    where = f"recipes.{name}.start_from: {start}"
    if missing := [space for space in spaces_of(config, name) if space not in used]:
        raise InputError(f"{where} is not used in {missing[0]} space; take one of {used}")
    if unlike := [key for key in SAME_NETWORK if recipe[key] != other[key]]:
        raise InputError(f"{where} has another {unlike[0]}; its weights do not fit")
    if other["film"] and not recipe["film"]:
        raise InputError(f"{where} has FiLM and this recipe has not; its weights do not fit")


def built_on(config: dict, name: str) -> list[str]:
    """The recipes that this one waits for, directly or not; InputError where it waits for itself."""
    waiting, found = [name], []
    while waiting:
        recipe = resolve_recipe(config, waiting.pop())
        teacher = (recipe["distill"] or {}).get("teacher", {}).get("recipe")
        for after in filter(None, (teacher, recipe["start_from"])):
            if after == name:
                raise InputError(f"recipes.{name}: its teacher or start_from leads back to itself")
            if after not in found:
                found.append(after)
                waiting.append(after)
    return found
