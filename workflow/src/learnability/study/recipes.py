"""Recipes, ways to train a classifier, read from the configuration: what each inherits, and which runs it builds on."""

from collections.abc import Callable

from ..errors import InputError
from .options import check_options, noise_options
from .recipe import SAME_NETWORK, Recipe, Teacher
from .search_space import check_search

PLACE = {"base", "spaces"}  # what a recipe inherits and where it is used; all else is the recipe


def resolve_recipe(config: dict, name: str, space: str | None = None) -> Recipe:
    """Return a recipe with what it inherits from its `base`; every training key must be there in the end.

    With a `space`, `stem_patch` is that of the space; without one it stays as the recipe has it. Raises InputError for
    a space of which the recipe has none.
    """
    recipes, seen = config["recipes"], []
    resolved: dict = {}
    while name is not None:
        if name in seen:
            raise InputError(f"recipes.{name}: its bases form a circle")
        if name not in recipes:
            asked = f"recipes.{seen[-1]}.base: {name!r} is" if seen else f"recipes.{name}:"
            raise InputError(f"{asked} not defined; known are {sorted(recipes)}")
        seen.append(name)
        resolved = recipes[name] | resolved
        name = recipes[name].get("base")
    values = {key: value for key, value in resolved.items() if key not in PLACE}
    if space and isinstance(stems := values.get("stem_patch"), dict):
        if space not in stems:
            raise InputError(f"recipes.{seen[0]}.stem_patch has nothing for {space} space; one value, or one a space")
        values["stem_patch"] = stems[space]
    if values.get("noise") is not None:
        values["noise"] = naming(seen[0], noise_options, values["noise"])  # a job looks no default up
    return Recipe.from_values(values, f"recipes.{seen[0]}")


def spaces_of(config: dict, name: str) -> list[str]:
    """The spaces in which a recipe is used: its own, or those of the nearest base that says it."""
    recipe = name
    while recipe is not None:
        entry = config["recipes"][recipe]
        if "spaces" in entry:
            return entry["spaces"]
        recipe = entry.get("base")
    raise InputError(f"recipes.{name}.spaces: missing; say in which spaces it is used")


def pretrained_weights(config: dict, recipe: Recipe) -> dict | None:
    """The `pretrained` entry that a resolved recipe starts from, or None where it starts from none."""
    if recipe.init == "random" or recipe.start_from:
        return None
    if recipe.model not in config["pretrained"]:
        raise InputError(f"pretrained.{recipe.model}: missing; name its weights there, or set `init: random`")
    return config["pretrained"][recipe.model]


def teacher_run(config: dict, cell: dict) -> dict | None:
    """The run that teaches the run `cell`, on the same fold and autoencoder; None where its recipe has no teacher."""
    distill = resolve_recipe(config, cell["recipe"]).distill
    if not distill:
        return None
    teacher = distill.teacher
    autoencoder = "original" if teacher.space == "image" else cell["autoencoder"]
    return cell | {"autoencoder": autoencoder, "space": teacher.space, "recipe": teacher.recipe}


def start_run(config: dict, cell: dict) -> dict | None:
    """The run whose weights the run `cell` starts from, on the same data and fold; None without `start_from`."""
    start_from = resolve_recipe(config, cell["recipe"]).start_from
    return cell | {"recipe": start_from} if start_from else None


def naming(name: str, check: Callable, *arguments, **named):
    """The result of a check that knows no name of a recipe; what it refuses is said of recipes.`name`."""
    try:
        return check(*arguments, **named)
    except InputError as error:
        raise InputError(str(error).replace("recipes.*", f"recipes.{name}")) from None


def check_recipe(config: dict, name: str) -> None:
    """Refuse a recipe that cannot work, or that builds on one which is not there; each message names the key."""
    recipe, spaces = resolve_recipe(config, name), spaces_of(config, name)
    pretrained_weights(config, recipe)
    for space in spaces:
        resolve_recipe(config, name, space)
        options = {"model": recipe.model, "head": recipe.head, "film": recipe.film, "noise": recipe.noise}
        options["transform"] = recipe.transform
        naming(name, check_options, space=space, **options)
    if recipe.reconstructions == "on_the_fly" and spaces != ["reconstruction"]:
        raise InputError(
            f"recipes.{name}.reconstructions: on_the_fly decodes latents, so `spaces` must be [reconstruction]"
        )
    if recipe.reconstructions == "on_the_fly" and recipe.search:
        raise InputError(
            f"recipes.{name}.reconstructions: on_the_fly goes without search, whose trials read stored arrays; write "
            "`search: null`, or `reconstructions: cached`"
        )
    if recipe.decoder_blocks:
        check_blocks(name, recipe, spaces)
    if recipe.views:
        check_views(name, recipe)
    if recipe.search:
        check_search(resolve_recipe(config, name, spaces[0]), name)
    for after in built_on(config, name):
        check_recipe(config, after)
        if resolve_recipe(config, after).decoder_blocks:
            raise InputError(
                f"recipes.{name} builds on {after}, which sees a decoder's features (decoder_blocks) and can neither "
                "teach nor be a start; name a recipe without decoder_blocks"
            )
    if recipe.distill:
        check_teacher(config, name, recipe.distill.teacher)
    if recipe.start_from:
        check_start(config, name, recipe)


def check_blocks(name: str, recipe: Recipe, spaces: list[str]) -> None:
    """A part of the decoder reads clean latents; keys that mean nothing for features are refused."""
    where = f"recipes.{name}.decoder_blocks"
    if spaces != ["latent"]:
        raise InputError(f"{where}: a decoder reads latents, so `spaces` must be [latent]; it is {spaces}")
    for key in ("noise", "film", "search", "start_from", "transform"):
        if getattr(recipe, key):
            raise InputError(f"{where} goes without {key}; write `{key}: {'false' if key == 'film' else 'null'}`")


def check_views(name: str, recipe: Recipe) -> None:
    """Refuse what goes without turned copies of the images."""
    refused = {
        "augment": ("[]", "views are the flips and turns, the same ones in every space"),
        "distill": ("null", "a teacher's logits are of the images alone, not of their copies"),
        "decoder_blocks": ("null", "the blocks would pass every copy in every epoch"),
    }
    for key, (nothing, why) in refused.items():
        if getattr(recipe, key):
            raise InputError(f"recipes.{name}.views goes without {key}: {why}; write `{key}: {nothing}`")
    if recipe.reconstructions == "on_the_fly":
        raise InputError(
            f"recipes.{name}.views: reconstructions of copies are stored beside the others; write "
            "`reconstructions: cached`"
        )


def check_teacher(config: dict, name: str, teacher: Teacher) -> None:
    """The teacher's recipe must be used in the teacher's space."""
    if teacher.space not in spaces_of(config, teacher.recipe):
        raise InputError(
            f"recipes.{name}.distill.teacher: recipe {teacher.recipe} is not used in {teacher.space} space; "
            f"take one of {spaces_of(config, teacher.recipe)}"
        )


def check_start(config: dict, name: str, recipe: Recipe) -> None:
    """The weights to start from must be of the same spaces and network; conditioning may be new, not left out."""
    start = recipe.start_from
    other, used = resolve_recipe(config, start), spaces_of(config, start)
    where = f"recipes.{name}.start_from: {start}"
    if missing := [space for space in spaces_of(config, name) if space not in used]:
        raise InputError(f"{where} is not used in {missing[0]} space; take one of {used}")
    for space in spaces_of(config, name):
        own, its = (resolve_recipe(config, one, space) for one in (name, start))
        if unlike := own.unlike(its, SAME_NETWORK):
            raise InputError(f"{where} has another {unlike[0]}; its weights do not fit")
    if other.film and not recipe.film:
        raise InputError(f"{where} has FiLM and this recipe has not; its weights do not fit")


def built_on(config: dict, name: str) -> list[str]:
    """The recipes that this one waits for, directly or not; InputError where it waits for itself."""
    waiting, found = [name], []
    while waiting:
        recipe = resolve_recipe(config, waiting.pop())
        teacher = recipe.distill.teacher.recipe if recipe.distill else None
        for after in filter(None, (teacher, recipe.start_from)):
            if after == name:
                raise InputError(f"recipes.{name}: its teacher or start_from leads back to itself")
            if after not in found:
                found.append(after)
                waiting.append(after)
    return found
