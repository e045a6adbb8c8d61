"""Brings generated images to what a classifier takes, as the study does with its own."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from ..autoencoders.decoding import check_same_weights, in_tf32
from ..autoencoders.encode import check_layout
from ..autoencoders.interface import load_autoencoder, scale_input
from ..autoencoders.passes import encode_batch
from ..datasets.formats.files import image_names, read_image
from ..datasets.prepare import UNREADABLE, fit
from ..errors import InputError
from ..storage.arrays import area_average
from ..study.cells import resolve_autoencoder
from ..study.encodings import fold_suffix
from ..study.entries import as_encoder
from ..study.paths import fetched_file, tuned_weights
from .latents import check_shape


def image_batches(
    sources: list[Path], description: dict, config: dict, autoencoder: str | None, device: torch.device, batch: int
) -> tuple[list[str], Iterator]:
    """Names (paths as given) and (first row, classifier input) of the batches of image files."""
    paths, latent = list_images(sources), description["space"] == "latent"
    if latent != bool(autoencoder):
        advice = "name its autoencoder with --autoencoder" if latent else "leave out --autoencoder"
        raise InputError(f"this classifier sees {description['space']} space; for images, {advice}")
    if latent:
        batch = max(1, batch // 8)  # an autoencoder on full-size images needs far more memory than a classifier
        to_input = encoder(description, config, autoencoder, device)
    else:
        to_input = reducer(description, config)
    resize = config["datasets"].get(description["dataset"], {}).get("resize", "squash")
    names = [str(path) for path in paths]

    def batches() -> Iterator:
        for start in range(0, len(paths), batch):
            chunk = paths[start : start + batch]
            images = np.stack([read_fitted(path, config["image_size"], resize) for path in chunk])
            yield start, to_input(images, names[start : start + batch])

    return names, batches()


def list_images(sources: list[Path]) -> list[Path]:
    """List the image files among files and in folders, in order and without repeats."""
    paths = []
    for source in sources:
        if not source.exists():
            raise InputError(f"{source} does not exist; give latents (.npy, .safetensors), images or folders of images")
        paths += [source / name for name in image_names(source)] if source.is_dir() else [source]
    if not paths:
        raise InputError(f"{sources[0]}: no image in it; expected .png or .jpg files")
    if len(set(paths)) < len(paths):
        raise InputError(
            f"{next(path for path in paths if paths.count(path) > 1)} is given twice; name each image once"
        )
    return paths


def read_fitted(path: Path, size: int, resize: str) -> np.ndarray:
    """Read an image as prepare_dataset packs it: uint8 RGB (size, size, 3)."""
    try:
        return fit(read_image(path, 3), size, resize)
    except UNREADABLE as error:
        said = str(error).removeprefix(f"{path}: ")
        raise InputError(f"{path}: cannot be read as an image of 8 bits a channel: {said}") from error


def reducer(description: dict, config: dict) -> Callable:
    """A function from uint8 images (n, S, S, 3) to (n, 3, s, s), by area averaging, as for images_small.npy."""
    small = config["classifier_size"]
    if description["grid"] != [small, small]:
        raise InputError(
            f"this classifier was trained at {description['grid'][0]} px, but classifier_size is {small}; give the "
            "study's file with --configfile"
        )
    return lambda images, names: torch.from_numpy(area_average(images, small)).permute(0, 3, 1, 2)


def encoder(description: dict, config: dict, name: str, device: torch.device) -> Callable:
    """A function from uint8 images (n, S, S, 3) and their names to the raw latents that the study would store."""
    if name != description["autoencoder"]:
        raise InputError(f"this classifier was trained on latents of {description['autoencoder']}, not of {name}")
    entry = located(config, name, description)
    autoencoder = load_autoencoder(entry, device)
    check_layout(name, entry, autoencoder, config["image_size"])
    encoding = name + fold_suffix(config, name, description["fold"])
    card = Path(config["results"], "encodings", description["dataset"], encoding, "autoencoder.json")
    if card.is_file():  # the autoencoder that the classifier was trained on
        check_same_weights(name, autoencoder, card)
    side = config["image_size"] // autoencoder.factor
    check_shape(Path(name), (0, autoencoder.channels, side, side), description)

    @torch.inference_mode()
    def to_latents(images: np.ndarray, names: list[str]) -> torch.Tensor:
        x = scale_input(torch.from_numpy(images).to(device).permute(0, 3, 1, 2), entry)  # (n, 3, S, S)
        # Seeds depend on an image's content: a path can be written in several ways, and a folder can move.
        seeds = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
        with in_tf32():
            return encode_batch(name, autoencoder, x, names, seeds)

    return to_latents


def located(config: dict, name: str, description: dict) -> dict:
    """The entry of an autoencoder, with the folder of weights if the study fetched or fine-tuned them."""
    entry, results = resolve_autoencoder(config, name), Path(config["results"])
    if "finetune" in entry:
        folder = results / tuned_weights(description["dataset"], name + fold_suffix(config, name, description["fold"]))
        if not folder.is_dir():
            raise InputError(
                f"{folder} does not exist; the study fine-tunes {name}: run it, or give its file and results"
            )
        return as_encoder(entry) | {"folder": str(folder)}
    record = results / fetched_file(name)
    return entry | {"folder": str(record.parent)} if record.is_file() else entry
