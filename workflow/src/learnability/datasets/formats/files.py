"""What several formats share: the root, what must lie in it, image files and their digest."""

import hashlib
import os
import string
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from ...errors import InputError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")


def resolve_root(root: str) -> Path:
    """Expand environment variables and ~; an unset variable or a missing folder is an error that says so."""
    unset = [name for name in string.Template(root).get_identifiers() if name not in os.environ]
    if unset:
        raise InputError(f"root {root}: set the environment variable {unset[0]} to the dataset's folder")
    folder = Path(os.path.expandvars(root)).expanduser()
    if not folder.is_dir():
        raise InputError(f"root {folder} is not a folder; point `root` at the downloaded dataset")
    return folder


def require(root: Path, names: Iterable[str], download: str) -> None:
    """Say in one message all that a download should have below its root and has not."""
    missing = [name for name in names if not (root / name).exists()]
    if missing:
        raise InputError(
            f"{root}: {', '.join(missing)} missing; expected the folder of {download} as it is downloaded "
            "(docs/datasets.md): get what is missing, or correct `root`"
        )


def read_image(path: str | Path, channels: int) -> np.ndarray:
    """Decode an 8-bit image to uint8 (H, W, channels); colour is RGB."""
    with Image.open(path) as image:
        if image.mode.startswith(("I", "F")):
            raise OSError(f"{image.mode} pixels; expected 8 bits a channel")
        pixels = np.asarray(image.convert("RGB" if channels == 3 else "L"))
    return pixels.reshape(*pixels.shape[:2], channels)


def image_names(folder: Path) -> list[str]:
    """Names of the images of a folder, sorted; what is left out (no image, not hidden) is said."""
    names = sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
    images = [name for name in names if name.lower().endswith(IMAGE_SUFFIXES)]
    if len(images) < len(names):
        others = sorted(set(names) - set(images))
        print(f"{folder}: {len(others)} entries are no images and are left out, the first is {others[0]}")
    return images


def listing_digest(names: Iterable[str]) -> str:
    """SHA-256 of the names of a tree that has no label file: the folders are the labels."""
    total = hashlib.sha256()
    for name in names:
        total.update(name.encode() + b"\n")
    return total.hexdigest()
