"""Synthetic medical-looking images, long-tailed and grouped, so that a study runs without any data.

Each class differs in shape (outline, size, lobes) and in a fine texture whose period, 7 to 13 px on a 64 px
image, survives halving by area averaging. Brightness, colour, pose and anatomy vary more than the classes do.
"""

import numpy as np
import pandas as pd

from ..source import Source
from .phantom_views import MODALITIES, View

OPENS_AT_ONCE = True
REQUIRED = ("modality", "groups", "images_per_group", "size", "seed")


def _stream(seed: int, modality: str, *key: int) -> np.random.Generator:
    """Random stream that depends only on its arguments, so images may be drawn in any order."""
    return np.random.default_rng([seed, list(MODALITIES).index(modality), *key])


def draw(modality: str, label_name: str, size: int, seed: int, group: int, index: int) -> np.ndarray:
    """Draw image `index` of a group as uint8 (size, size, C); images of a group have nearly the same pose."""
    kind = MODALITIES[modality]
    group_rng, image_rng = _stream(seed, modality, group, 0), _stream(seed, modality, group, 1, index)
    turn = group_rng.normal(0, kind.turn) + image_rng.normal(0, 0.04)
    zoom = group_rng.uniform(0.92, 1.08) * image_rng.uniform(0.98, 1.02)
    shift = group_rng.normal(0, 0.05, 2) + image_rng.normal(0, 0.02, 2)
    axis = (np.arange(size) + 0.5) * 2 / size - 1
    down, right = (axis[:, None] - shift[0]) * zoom, (axis[None, :] - shift[1]) * zoom
    y, x = down * np.cos(turn) - right * np.sin(turn), down * np.sin(turn) + right * np.cos(turn)
    drawn = kind.draw(View(y, x, group_rng, image_rng), label_name).reshape(size, size, kind.channels)
    contrast = group_rng.uniform(0.88, 1.08) * image_rng.uniform(0.96, 1.04)
    brightness = group_rng.uniform(-0.04, 0.04) + image_rng.uniform(-0.015, 0.015)
    drawn = drawn * contrast + brightness + image_rng.normal(0, 0.012, drawn.shape)
    return np.round(np.clip(drawn, 0, 1) * 255).astype(np.uint8)


def _whole(value, least: int) -> bool:
    """Whether a value is an integer of at least `least`; True and False are not."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _check(entry: dict) -> None:
    """Raise a ValueError that names the first unusable key of the entry and what was expected."""
    missing = [key for key in REQUIRED if key not in entry]
    if missing:
        raise ValueError(f"phantom dataset: missing key '{missing[0]}'; expected {', '.join(REQUIRED)}")
    modality, groups, span = entry["modality"], entry["groups"], entry["images_per_group"]
    known = MODALITIES[modality].classes if modality in MODALITIES else ()
    if not known:
        expected = f"modality '{modality}' is unknown; expected {', '.join(MODALITIES)}"
    elif not groups or not all(name in known and _whole(n, 1) for name, n in groups.items()):
        expected = f"groups {groups}; expected counts of 1 or more for classes of {', '.join(known)}"
    elif len(span) != 2 or not all(_whole(n, 1) for n in span) or span[0] > span[1]:
        expected = f"images_per_group {span}; expected [low, high] with 1 <= low <= high"
    elif not _whole(entry["size"], 16):
        expected = f"size {entry['size']!r}; expected a whole number of pixels, 16 or more"
    elif not _whole(entry["seed"], 0):
        expected = f"seed {entry['seed']!r}; expected a whole number, 0 or more"
    else:
        return
    raise ValueError(f"phantom dataset: {expected}")


def open_source(entry: dict, threads: int = 1) -> Source:
    """Open the collection that an entry describes by `modality, groups, images_per_group, size` and `seed`."""
    _check(entry)
    modality, seed, span = entry["modality"], entry["seed"], entry["images_per_group"]
    labels = [name for name, count in entry["groups"].items() for _ in range(count)]
    rows = [
        (label_name, group, index)
        for group, label_name in enumerate(labels)
        for index in range(_stream(seed, modality, group, 2).integers(*span, endpoint=True))
    ]
    samples = {
        "sample_id": [f"{modality}-{group:04d}-{index}" for _, group, index in rows],
        "label_name": [label_name for label_name, _, _ in rows],
        "group": [f"{modality}-{group:04d}" for _, group, _ in rows],
    }

    def read(i: int) -> np.ndarray:
        label_name, group, index = rows[i]
        return draw(modality, label_name, entry["size"], seed, group, index)

    return Source(
        samples=pd.DataFrame(samples),
        classes=list(entry["groups"]),
        read=read,
        channels=MODALITIES[modality].channels,
        synthetic=True,
        provenance={"generator": "phantom", "modality": modality, "seed": seed},
        grouped=True,
        grouped_by="made-up patient",
    )
