"""What `learnability check` reports about a study's autoencoders: their weights, and a round trip of some images."""

from pathlib import Path

import numpy as np

from ..autoencoders.families.weights import takes_no_images
from ..errors import InputError
from ..registry import is_control
from ..study.array_sizes import encoding_bytes, row_shape
from ..study.cells import columns, resolve_autoencoder
from ..study.recipe import Recipe
from ..study.recipes import resolve_recipe
from ..study.words import counted
from ..workflow.hub import weights_to_fetch
from .lines import Line, lines_of
from .missing import check_finetuning, check_hub, check_weights


def examine_autoencoder(config: dict, name: str, images: np.ndarray, origin: str, known: int) -> list[Line]:
    """Report whether weights exist or can be fetched, the size of the latents of `known` images, and a round trip."""
    entry = resolve_autoencoder(config, name)
    owner = config["autoencoders"][name].get("base", name)
    check_own = check_finetuning if "finetune" in entry else check_weights
    messages = check_own(config, {"autoencoder": name})
    fetched = Path(config["results"], "weights", owner)
    if owner in weights_to_fetch(config):
        there = (fetched / "source.json").is_file()
        messages += [] if there else check_hub(config, {"name": owner})
        state = f"weights fetched into {fetched}" if there else f"weights will be fetched from {entry['source']}"
        entry = entry | {"folder": str(fetched)} if there else entry
    else:
        there = not messages
        state = "needs no weights" if is_control(entry) else "weights found" if "source" in entry else "class found"
    written = known * encoding_bytes(config, name) / 1e6
    shape = f"{' x '.join(map(str, row_shape(config, 'latent', name)))}, {written:,.1f} MB with reconstructions"
    lines = [Line(name, f"{state}; latent {shape}")]
    if messages:
        return [Line(name, message.removeprefix(f"autoencoders.{owner}: "), ready=False) for message in messages]
    if "finetune" in entry:
        lines[0].text = f"fine-tuned by the workflow from {owner}; latent {shape}"
    if not there:
        message = takes_no_images(entry)
        return [*lines, Line(name, message, ready=False)] if message else lines
    if not len(images) or ("finetune" in entry and owner in config["study"]["autoencoders"]):
        return lines
    found = lines_of(name, examine_round_trip, config, name, entry, images, origin)
    for line in found if "finetune" in entry else ():
        line.text = f"before its fine-tuning: {line.text}"
    return lines + found


def examine_round_trip(config: dict, name: str, entry: dict, images: np.ndarray, origin: str) -> list[Line]:
    """Encode and decode a few images; report PSNR, moments of the latent, and what looks wrong."""
    import torch

    from ..autoencoders.encode import check_layout
    from ..autoencoders.interface import load_autoencoder
    from ..autoencoders.randomness import check_repeats
    from ..autoencoders.round_trip import round_trip
    from ..workflow.jobs import choose_device

    device = choose_device(torch.get_num_threads())
    autoencoder = load_autoencoder(entry, device)
    check_layout(name, entry, autoencoder, images.shape[1])
    check_repeats(name, entry, autoencoder, images, device)
    check_noise(config, name, autoencoder)
    if not origin:
        return [Line(name, "encodes noise, and again the same; no image of a dataset is at hand for a round trip")]
    found = round_trip(name, autoencoder, entry, images, device)
    quality = "no decoder" if found["psnr"] is None else f"PSNR {found['psnr']:.2f} dB"
    if found["identical"]:
        number = "all" if found["identical"] == len(images) else found["identical"]
        quality += f", {number} unchanged"
    lines = [
        Line(name, f"round trip of {counted(len(images), 'image')} of {origin} at {images.shape[1]} px: {quality}")
    ]
    for label in ("mean", "std", "rms") if not is_control(entry) else ():
        values = found[label]
        shown = " ".join(f"{value:.2f}" for value in values[:8]) + (" ..." if len(values) > 8 else "")
        lines.append(Line(name, f"latent {label} per channel ({min(values):.2f} to {max(values):.2f}): {shown}"))
    return lines + [Line(name, text, warning=True) for text in found["warnings"]]


def latent_recipes(config: dict, name: str) -> dict[str, Recipe]:
    """The recipes by which the study trains on an autoencoder's latents."""
    found = [column for table in config["study"]["recipes"] for column in columns(config, table)]
    names = {recipe: None for autoencoder, space, recipe in found if (autoencoder, space) == (name, "latent")}
    return {recipe: resolve_recipe(config, recipe, "latent") for recipe in names}


def check_noise(config: dict, name: str, autoencoder) -> None:
    """Refuse noise in the units of an autoencoder's pipeline if these do not fit its grid."""
    from ..autoencoders.latent_units import units_on_grid

    for recipe, resolved in latent_recipes(config, name).items():
        if not resolved.noise or resolved.noise_space == "normalised":
            continue
        side, grid = units_on_grid(autoencoder.pipeline, autoencoder.channels)[1].shape[-1], config["image_size"]
        if (grid := grid // autoencoder.factor) % side:
            raise InputError(
                f"recipes.{recipe}.noise_space: the units of autoencoders.{name} repeat every {side} positions, and "
                f"its grid has {grid}; take another image_size, or `noise_space: normalised`"
            )
