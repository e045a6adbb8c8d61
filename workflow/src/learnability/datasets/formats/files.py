"""What several formats share: the root, the files it must contain, image files and their digest."""

import hashlib
import os
import string
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ...errors import InputError
from ...study.words import counted
from .depth import CHECKS, check_pixels

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")


def resolve_root(root: str) -> Path:
    """Expand environment variables and ~; raise InputError for an unset variable or a missing folder."""
    unset = [name for name in string.Template(root).get_identifiers() if name not in os.environ]
    if unset:
        raise InputError(f"root {root}: set the environment variable {unset[0]} to the dataset's folder")
    folder = Path(os.path.expandvars(root)).expanduser()
    if not folder.is_dir():
        raise InputError(f"root {folder} is not a folder; point `root` at the downloaded dataset")
    return folder


def require(root: Path, names: Iterable[str], download: str) -> None:
    """Raise one InputError that names everything missing below the root of a download."""
    missing = [name for name in names if not (root / name).exists()]
    if missing:
        raise InputError(
            f"{root}: {', '.join(missing)} missing; expected the folder of {download} as it is downloaded "
            "(docs/datasets.md): get what is missing, or correct `root`"
        )


def read_image(path: str | Path, channels: int) -> np.ndarray:
    """Decode an 8-bit image to uint8 (H, W, channels), upright, on black where it is transparent; colour is RGB."""
    with open_image(path) as image:
        pixels = np.asarray(image.convert("RGB" if channels == 3 else "L"))
    return pixels.reshape(*pixels.shape[:2], channels)


def has_colour(path: str | Path) -> bool:
    """Whether red, green and blue differ in any pixel of an image file."""
    with open_image(path) as image:
        return image.mode not in ("1", "L") and differs(np.asarray(image.convert("RGB")))


def differs(pixels: np.ndarray) -> bool:
    """Whether the channels of an image (H, W, C) differ in any pixel."""
    few = pixels[::16, ::16]  # enough to recognise a photograph
    return any((part[..., 1:] != part[..., :1]).any() for part in (few, pixels))


@contextmanager
def open_image(path: str | Path) -> Iterator[Image.Image]:
    """Load an image of at most 8 bits per channel, turn it upright and remove its transparency.

    All image files are opened here. Raises OSError for images that would be misread (docs/datasets.md).
    """
    try:
        image = Image.open(path, formats=[name for name in CHECKS if name != "MPO"])
    except UnidentifiedImageError:
        raise OSError(
            f"{path}: broken, or not a supported kind; expected 8 bits a channel in {', '.join(CHECKS)}"
        ) from None
    except RuntimeError as error:  # raised by a format's library if a file begins well and is damaged later
        raise OSError(f"{path}: broken ({error})") from error
    with image:
        try:
            check_pixels(image, path)
            image.load()
        # Pillow and its libraries raise these for damaged directories and blocks
        except (TypeError, LookupError, EOFError, RuntimeError, ArithmeticError, struct.error) as error:
            raise OSError(f"{path}: broken ({error})") from error
        turn_upright(image, path)
        if image.mode == "LAB":  # Pillow converts LAB only to RGB
            yield image.convert("RGB")
        else:
            yield on_black(image) if image.has_transparency_data else image


def turn_upright(image: Image.Image, path: str | Path) -> None:
    """Turn or mirror a loaded image by its orientation in EXIF or XMP; Pillow turns a TIFF itself."""
    try:
        Image.Exif().load(image.info.get("exif", b""))  # for a JPEG, Pillow treats broken EXIF as absent
        ImageOps.exif_transpose(image, in_place=True)
    except (SyntaxError, ValueError, LookupError, struct.error) as error:
        raise OSError(f"{path}: its EXIF cannot be read ({error}), so the orientation is not known") from error


def on_black(image: Image.Image) -> Image.Image:
    """Lay a partly transparent picture on black; the mode is L if it has no colour, else RGB."""
    grey = image.mode in ("1", "L", "LA", "La")
    pixels = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    canvas = Image.new("RGB", image.size)
    canvas.paste(pixels, mask=pixels.getchannel("A"))
    return canvas.convert("L") if grey else canvas


def image_names(folder: Path) -> list[str]:
    """Sorted names of the images in a folder; other files are reported unless they are hidden."""
    names = sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
    images = [name for name in names if name.lower().endswith(IMAGE_SUFFIXES)]
    if len(images) < len(names):
        others = sorted(set(names) - set(images))
        print(f"{folder}: {counted(len(others), 'name')} left out as not named like an image, the first is {others[0]}")
    return images


def listing_digest(names: Iterable[str]) -> str:
    """SHA-256 of the names in a tree whose folders are the labels, in place of a label file."""
    total = hashlib.sha256()
    for name in names:
        total.update(name.encode() + b"\n")
    return total.hexdigest()
