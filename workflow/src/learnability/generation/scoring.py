"""Class probabilities of generated latents or images by a trained classifier (`learnability score`)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ..autoencoders import load_autoencoder, scale_input
from ..autoencoders.encode import check_layout, encode_batch
from ..autoencoders.weights import finetuned
from ..contracts import InputError, read_json, write_parquet
from ..datasets.files import image_names, read_image
from ..datasets.prepare import UNREADABLE, fit
from ..latent_units import units_on_grid
from ..store import area_average
from ..study import fold_suffix, resolve_autoencoder
from .conversion import to_raw

BATCH = 32
ARRAYS = (".npy", ".safetensors")


@dataclass
class Classes:
    """A trained classifier with the model.json that describes it."""

    model: torch.nn.Module
    description: dict
    device: torch.device


def score(
    run: Path,
    sources: list[Path],
    out: Path,
    config: dict,
    autoencoder: str | None = None,
    sigma: float | None = None,
    units: Path | None = None,
) -> pd.DataFrame:
    """Write, and return, the class probabilities of generated latents or images: softmax of the unscaled logits.

    `run` is the folder of a training; `sources` one array of latents (N, C, h, w), or images and folders of images.
    Images go through the named autoencoder to a classifier of latents, and at classifier size to one of images, as in
    the study that `config` describes. `units` is the autoencoder.json in whose pipeline units the latents are; without
    it they are raw. `sigma` is the noise that the latents carry. Columns: sample_id, then one float64 per class.
    """
    from ..classifiers.saved import load_classifier

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_float32_matmul_precision("high")  # TF32 where the GPU has it, as in training
    classes = Classes(load_classifier(run, device), read_json(run / "model.json"), device)
    if sigma is not None and classes.model.levels is None:
        raise InputError(f"{run}: this classifier knows no noise levels; leave out --sigma, or train it with `noise`")
    if sigma is not None and not 0 <= sigma < math.inf:
        raise InputError(f"--sigma {sigma}: expected a number of at least 0")
    if any(source.suffix in ARRAYS for source in sources):
        if autoencoder or len(sources) > 1:
            raise InputError(f"{sources[0]}: give one array of latents, without an autoencoder, or images")
        names, batches = latent_batches(sources[0], classes, units)
    else:
        if units:
            raise InputError("--pipeline-units: images have none; they are for arrays of latents")
        names, batches = image_batches(sources, classes, config, autoencoder)
    probability = np.concatenate([probabilities(classes, x, sigma, names[i : i + BATCH]) for i, x in batches])
    frame = pd.DataFrame(probability, columns=classes.model.classes)
    frame.insert(0, "sample_id", names)
    write_parquet(frame, out)
    return frame


@torch.inference_mode()
def probabilities(classes: Classes, x: torch.Tensor, sigma: float | None, names: list[str]) -> np.ndarray:
    """float64 (n, K) of raw latents or 8-bit images x (n, C, H, W)."""
    x = x.to(classes.device).float()
    finite = torch.isfinite(x).flatten(1).all(1)
    if not bool(finite.all()):
        raise InputError(f"sample {names[int(torch.nonzero(~finite)[0])]} has NaN or infinity; generate it anew")
    x = x.contiguous(memory_format=torch.channels_last)
    return classes.model(x, sigma).double().softmax(dim=1).cpu().numpy()


def latent_batches(path: Path, classes: Classes, units: Path | None) -> tuple[list[str], Iterator]:
    """Names "0", "1", ... and (first row, raw latents) of the batches of an array."""
    description = classes.description
    if description["space"] != "latent":
        raise InputError(f"{path}: this classifier sees images ({description['space']} space); give decoded images")
    array, channels = read_latents(path), description["in_channels"]
    pipeline = read_units(units, channels) if units else None
    if not pipeline:
        check_shape(path, array.shape, description)

    def batches() -> Iterator:
        for start in range(0, len(array), BATCH):
            z = array[start : start + BATCH]
            z = torch.from_numpy(np.array(z)) if isinstance(z, np.ndarray) else z  # NumPy knows no bfloat16
            if pipeline:
                z = to_raw(z.float(), pipeline, channels)
                check_shape(path, (len(array), *z.shape[1:]), description)
            yield start, z

    return [str(i) for i in range(len(array))], batches()


def read_units(card: Path, channels: int) -> dict:
    """The `pipeline` of an autoencoder.json, for a raw latent of C channels."""
    found = read_json(card) if card.is_file() else {}
    if "pipeline" not in found:
        problem = "no `pipeline` in it" if card.is_file() else "does not exist"
        raise InputError(
            f"{card}{':' if card.is_file() else ''} {problem}; expected the autoencoder.json of the encoding that the "
            "classifier was trained on"
        )
    units_on_grid(found["pipeline"], channels)  # refused before the first batch
    return found["pipeline"]


def read_latents(path: Path) -> np.ndarray | torch.Tensor:
    """The array of a .npy file, mapped, or the one tensor of a .safetensors file; at least one row of numbers."""
    if not path.is_file():
        raise InputError(f"{path} does not exist; give the file of the generated latents")
    try:
        if path.suffix == ".npy":
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            numbers = array.dtype.kind in "fiu"
        else:
            from safetensors.torch import load_file

            tensors = load_file(path)
            if len(tensors) != 1:
                raise InputError(f"{path}: {len(tensors)} tensors, {sorted(tensors)}; save the latents alone")
            array = next(iter(tensors.values()))
            numbers = array.dtype not in (torch.bool, torch.complex64, torch.complex128)
    except InputError:
        raise
    except Exception as error:  # whatever a damaged file provokes
        raise InputError(f"{path}: cannot be read as an array of numbers: {error}; write it anew") from error
    if not numbers or array.ndim not in (3, 4) or not len(array):
        raise InputError(
            f"{path}: {array.dtype} {tuple(array.shape)}; expected numbers (N, C, h, w), at least one latent"
        )
    return array


def check_shape(path: Path, shape: tuple[int, ...], description: dict) -> None:
    """Refuse latents of other channels or another grid than the classifier was trained on."""
    expected = (description["in_channels"], *description["grid"])
    if tuple(shape[1:]) != expected:
        raise InputError(
            f"{path}: latents {' x '.join(map(str, shape[1:]))}, but this classifier was trained on "
            f"{' x '.join(map(str, expected))} ({description['autoencoder']}); generate at its size, or, where they "
            "are packed or normalised by a pipeline, say in whose units with --pipeline-units"
        )


def image_batches(
    sources: list[Path], classes: Classes, config: dict, autoencoder: str | None
) -> tuple[list[str], Iterator]:
    """Names (paths as given) and (first row, classifier input) of the batches of image files."""
    paths, description = list_images(sources), classes.description
    size, small = config["image_size"], config["classifier_size"]
    if (description["space"] == "latent") != bool(autoencoder):
        advice = (
            "name its autoencoder with --autoencoder" if description["space"] == "latent" else "leave out --autoencoder"
        )
        raise InputError(f"this classifier sees {description['space']} space; for images, {advice}")
    if autoencoder:
        to_input = encoder(description, config, autoencoder, classes.device)
    elif description["grid"] != [small, small]:
        raise InputError(
            f"this classifier was trained at {description['grid'][0]} px, but classifier_size is {small}; give the "
            "study's file with --configfile"
        )
    else:

        def to_input(images: np.ndarray, names: list[str]) -> torch.Tensor:
            return torch.from_numpy(area_average(images, small)).permute(0, 3, 1, 2)

    resize = config["datasets"].get(description["dataset"], {}).get("resize", "squash")
    names = [str(path) for path in paths]

    def batches() -> Iterator:
        for start in range(0, len(paths), BATCH):
            images = np.stack([read_fitted(path, size, resize) for path in paths[start : start + BATCH]])
            yield start, to_input(images, names[start : start + BATCH])

    return names, batches()


def list_images(sources: list[Path]) -> list[Path]:
    """The image files of files and folders, in order; none twice."""
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
    """An image as prepare_dataset packs it: uint8 RGB (size, size, 3)."""
    try:
        return fit(read_image(path, 3), size, resize)
    except UNREADABLE as error:
        raise InputError(f"{path}: cannot be read as an image of 8 bits a channel: {error}") from error


def encoder(description: dict, config: dict, name: str, device: torch.device):
    """A function from uint8 images (n, S, S, 3) and their names to the raw latents that the study would store."""
    if name != description["autoencoder"]:
        raise InputError(f"this classifier was trained on latents of {description['autoencoder']}, not of {name}")
    entry = located(config, name, description)
    autoencoder = load_autoencoder(entry, device)
    check_layout(name, entry, autoencoder, config["image_size"])
    side = config["image_size"] // autoencoder.factor
    check_shape(Path(name), (0, autoencoder.channels, side, side), description)
    step = max(1, BATCH // 8)  # an autoencoder at full size needs far more memory than a classifier

    @torch.inference_mode()
    def to_latents(images: np.ndarray, names: list[str]) -> torch.Tensor:
        x = torch.from_numpy(images).permute(0, 3, 1, 2)
        parts = range(0, len(x), step)
        seen = [scale_input(x[i : i + step].to(device), entry) for i in parts]
        return torch.cat(
            [encode_batch(autoencoder, s, pd.Series(names[i : i + step])) for i, s in zip(parts, seen, strict=True)]
        )

    return to_latents


def located(config: dict, name: str, description: dict) -> dict:
    """The entry of an autoencoder with the folder of the weights that the study fetched or fine-tuned, if it did."""
    entry, results = resolve_autoencoder(config, name), Path(config["results"])
    if "finetune" in entry:
        folder = results / "weights" / description["dataset"] / (name + fold_suffix(config, name, description["fold"]))
        if not folder.is_dir():
            raise InputError(
                f"{folder} does not exist; the study fine-tunes {name}: run it, or give its file and results"
            )
        return finetuned(entry, folder)
    fetched = results / "weights" / name
    return entry | {"folder": str(fetched)} if (fetched / "source.json").is_file() else entry
