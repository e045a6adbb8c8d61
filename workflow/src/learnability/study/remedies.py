"""Remedies against the gap: which rows Table 6 has, what each is compared with, and what cannot be compared."""

from ..errors import InputError
from .array_sizes import row_shape, views_bytes
from .cells import ALL_SPACES, columns, controls_of_grids, scope
from .controls import LOSSLESS
from .recipe import KEYS
from .recipes import resolve_recipe, spaces_of
from .truths import EQUIVARIANCE, LOW_PASS, NONE, REMEDIES, ROTATE

WHAT_DIFFERS = {"transform", "decoder_blocks", "views"}  # between the recipes of remedies


def remedy_rows(config: dict) -> list[dict]:
    """The rows of Table 6 on every dataset, as plain values; each is of one autoencoder and recipe.

    `gap` has the runs on reconstructions and on latents, each (autoencoder, space, recipe); of a lossless control the
    first is of the images, which it decodes to byte for byte. `without` is the row whose gap is to be closed. `against`
    has by name what must gain less: the row of another remedy, and that without it. Of one image `gflop` is 10^9
    operations of a transform, and `mb` 10^6 bytes that encode_views stores; else 0.
    """
    names = config["study"]["recipes"].get(REMEDIES, [])
    remedies = {name: (resolve_recipe(config, name).remedies or [NONE])[0] for name in names}
    tried = [(name, recipe) for name, space, recipe in columns(config, REMEDIES) if space == "latent"]
    return [_row(config, name, recipe, remedies, tried) for name, recipe in tried]


def _row(config: dict, name: str, recipe: str, remedies: dict[str, str], tried: list[tuple[str, str]]) -> dict:
    entry, resolved = config["autoencoders"][name], resolve_recipe(config, recipe)
    views = resolved.views
    plain, rotated = (next((one for one in remedies if remedies[one] == kind), None) for kind in (NONE, ROTATE))
    both = recipe if "reconstruction" in spaces_of(config, recipe) else plain
    pixels = ["original", "image", both] if entry.get("class") == LOSSLESS else [name, "reconstruction", both]
    if entry.get("finetune", {}).get("equivariance"):
        remedy, base = EQUIVARIANCE, entry["base"]
        against = {"finetuning": [(_neighbour(config, name, tried), plain), (base, plain)]}
    else:
        remedy, base, control = remedies[recipe], name, controls_of_grids(config, REMEDIES).get(name)
        against = {"control": [(control, recipe), (control, plain)]}
    against["rotate"] = [(base, rotated), (base, plain)]
    others = {*tried} - {(name, recipe)} if remedy != NONE and entry["role"] == "family" else set()
    return {
        "autoencoder": name, "remedy": remedy, "recipe": recipe, "gap": [pixels, [name, "latent", recipe]],
        "without": [base, plain],
        "against": {key: [list(row) for row in pair] for key, pair in against.items() if {*pair} <= others},
        "gflop": _operations(resolved.transform, *row_shape(config, "latent", name)) / 1e9,
        "mb": views_bytes(config, name, views.copies if views else 0) / 1e6,
    }  # fmt: skip


def _operations(transform: dict | None, channels: int, height: int, width: int) -> int:
    """Operations of a transform of one latent: a matrix over the channels, or two over each side, there and back."""
    if transform is None:
        return 0
    along = 2 * (height + width) if transform["kind"] == LOW_PASS else channels
    return 2 * channels * height * width * along


def _neighbour(config: dict, name: str, tried: list[tuple[str, str]]) -> str | None:
    """The autoencoder that is fine-tuned from the same base in the same way, but not towards equivariance."""
    entries = config["autoencoders"]

    def tuning(name: str) -> tuple:
        return entries[name]["base"], {**entries[name]["finetune"], "equivariance": None}

    tuned = [other for other, _ in tried if other != name and "finetune" in entries[other]]
    plain = [other for other in tuned if not entries[other]["finetune"].get("equivariance")]
    return next((other for other in plain if tuning(other) == tuning(name)), None)


def check_remedies(config: dict) -> None:
    """Refuse remedies that cannot be compared with the gap without them; each message names the key."""
    names, key = config["study"]["recipes"].get(REMEDIES, []), f"study.recipes.{REMEDIES}"
    if not names:
        return
    plain = [name for name in names if not resolve_recipe(config, name).remedies]
    if len(plain) != 1 or set(spaces_of(config, plain[0])) != ALL_SPACES:
        raise InputError(
            f"{key} has {plain or 'no recipe'} without a remedy; expected exactly one, of all three spaces, whose gap "
            "the others are to close: matched"
        )
    for name in names:
        recipe = resolve_recipe(config, name)
        if unlike := recipe.unlike(resolve_recipe(config, plain[0]), set(KEYS) - WHAT_DIFFERS):
            raise InputError(
                f"recipes.{name}.{sorted(unlike)[0]}: differs from {plain[0]}; recipes of {key} differ in "
                f"{', '.join(sorted(WHAT_DIFFERS))} alone, so that nothing else closes the gap"
            )
        if len(recipe.remedies) > 1:
            raise InputError(f"{key}: {name} has {' and '.join(recipe.remedies)}; name a recipe for each")
        if recipe.views and set(spaces_of(config, name)) != ALL_SPACES:
            raise InputError(
                f"recipes.{name}.spaces is {spaces_of(config, name)}; views in {key} are on both sides of a gap: "
                "expected all three spaces"
            )
    shown = scope(config, REMEDIES)["autoencoders"]
    for name in shown:
        entry = config["autoencoders"][name]
        if entry.get("finetune", {}).get("equivariance") and entry["base"] not in shown:
            raise InputError(
                f"study.autoencoders: {name} is fine-tuned towards equivariance from {entry['base']}, whose gap it is "
                f"to close; name {entry['base']} too, in study.limited_to.{REMEDIES} if that is given"
            )
