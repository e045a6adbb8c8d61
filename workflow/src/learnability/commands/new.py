"""`learnability new`: writes a study file for a user's images and autoencoder, after looking at them."""

import functools
import json
import os
import re
from pathlib import Path

import numpy as np

from ..datasets.formats.files import has_colour, open_image
from ..datasets.prepare import UNREADABLE
from ..datasets.source import Source, open_source, spread_rows
from ..errors import InputError
from ..study.cells import resolve_autoencoder
from ..study.configuration import ROOT, read_config, read_yaml
from ..study.controls import LOSSLESS
from ..study.names import YAML_WORDS
from ..study.words import counted
from ..workflow.jobs import DEVICE
from .new_autoencoder import controls_of, find_autoencoder, slug
from .new_images import Found, describe_folder
from .new_table import describe_table

LOOKED_AT = 50  # images whose size and colour it reads
SIZES = (64, 128, 256, 512)
OWN_SMALL = ROOT / "workflow/studies/own_small.yaml"  # the model for a machine without a GPU
SIDE_OF_CLASSIFIERS = 256  # as in the published study
SMALLEST_GRID, PUBLISHED_GRID = 8, 32  # of latents: the least for a stem of 1 x 1 patches, and for the published stem
FOLDS, FEWEST_FOLDS = 5, 3
NEGATIVE = r"(?i)\b(normal|healthy|benign|negative|control|none|no|non|without|0)(?![a-z])"
SMALL_GRID = """recipes:
  latent: {stem_patch: 1}   # the side of the latents is %d, too small for the published stem of 4
"""
GROUP_KEYS = {"folders": "group_pattern", "table": "group_column"}


def write_study(
    study: Path,
    images: Path,
    autoencoder: str,
    group: str | None = None,
    label: str | None = None,
    positive: str | None = None,
) -> None:
    """Write a study file and say what its reader must decide; InputError and no file if something is unclear."""
    import torch

    if study.exists():
        raise InputError(f"{study} exists and is not overwritten; give another name, or move it away")
    if not images.exists():
        raise InputError(f"--images {images} does not exist; expected a folder with a folder per class, or a CSV")
    if label and images.is_dir():
        raise InputError(f"--label {label!r}: {images} is a folder, whose folders are the classes; leave it out")
    if "$" in str(images.resolve()):
        raise InputError(f"--images {images.resolve()}: a study file reads $ as a variable; rename the folder")
    config, gpu = read_config(), torch.cuda.is_available() and os.environ.get(DEVICE) != "cpu"
    found = describe_folder(images, group) if images.is_dir() else describe_table(images, label, group)
    found.entry["rare_classes"] = "drop"  # a class folder may be empty
    source = open_source(found.entry)
    if not gpu and len(source.samples) > own_small_subset()["images"]:
        found.entry["subset"] = own_small_subset()
        found.comments["subset"] = f"for the first hour; without this line all {counted(len(source.samples), 'image')}"
        source = open_source(found.entry)
    del found.entry["rare_classes"]
    side = look_at_images(found, source)
    splits = settle_classes(found, source, positive)
    name, entry = find_autoencoder(autoencoder, config)
    layout = entry or resolve_autoencoder(config, name)
    called = images.resolve().name if images.is_dir() else images.stem
    text = study_text(study.stem, (called, found), (name, entry, layout), config, (side, splits, gpu))
    study.parent.mkdir(parents=True, exist_ok=True)
    with study.open("x", encoding="utf-8") as file:
        file.write(text)
    print(
        f"Wrote {study}: {counted(len(source.samples), 'image')} in {counted(len(source.classes), 'class')}, "
        f"autoencoder {name}."
    )
    for key in found.comments:
        print(f"  {key}: {quoted(found.entry[key])}{remark(found, key)}")
    if not source.grouped:
        key = GROUP_KEYS[found.entry["format"]]
        print(f"Nothing says which images belong to one patient or lesion: set {key} in the file, or use --group.")


@functools.cache
def own_small() -> dict:
    """Read the study of own images for a machine without a GPU."""
    return read_yaml(OWN_SMALL)


def own_small_subset() -> dict:
    """The subset of the images that this study takes."""
    (entry,) = own_small()["datasets"].values()
    return entry["subset"]


def small_networks() -> str:
    """The text of this study's recipes, with their comments."""
    return re.search(r"^recipes:.*?(?=^\S|\Z)", OWN_SMALL.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)[0]


def look_at_images(found: Found, source: Source) -> int:
    """Put the channels into the entry; return the median of the longer sides of some images, in pixels."""
    sides, coloured, wrong = [], False, []
    for i in spread_rows(source, LOOKED_AT):
        try:
            with open_image(source.path(i)) as image:
                sides.append(max(image.size))
            coloured = coloured or has_colour(source.path(i))
        except UNREADABLE as error:
            wrong.append(f"{source.path(i)}: {str(error).removeprefix(f'{source.path(i)}: ')}")  # `check` reports it
    if not sides:
        raise InputError(f"{wrong[0]}. Images looked at: {len(wrong)}, and none can be read (docs/datasets.md)")
    found.entry["channels"] = 3 if coloured else 1
    found.comments["channels"] = (
        f"{counted(len(sides), 'image')} looked at, {'some' if coloured else 'none'} with colour"
    )
    return int(np.median(sides))


def settle_classes(found: Found, source: Source, positive: str | None) -> int:
    """Put the classes, the positive class and the fate of rare ones into the entry; return the number of folds."""
    groups = source.samples.groupby("label_name")["group"].nunique().reindex(source.classes, fill_value=0)
    kept = groups[groups >= FEWEST_FOLDS]
    found.entry["classes"] = [*groups.index]
    if len(groups) < 2:
        raise InputError(f"{found.entry['root']}: only one class, {groups.index[0]!r}; a classifier needs two")
    two = kept if len(kept) == 2 else groups  # the rare ones are dropped
    if positive is not None and positive not in two.index:
        raise InputError(f"--positive {positive!r}: no such class; the classes are {[*two.index]}")
    if positive is not None and len(two) != 2:
        raise InputError(f"--positive {positive!r}: it is for two classes, and there are {len(two)}; leave it out")
    if len(two) == 2:
        negative = [label for label in two.index if re.search(NEGATIVE, label.replace("_", " "))]
        others = [label for label in two.index if label not in negative]
        found.entry["positive"] = positive or (others[0] if len(others) == 1 else two.idxmin())
        if positive is None:
            found.comments["positive"] = "a guess: see whether it is the one to be found"
    if groups.min() < FEWEST_FOLDS:
        found.entry["rare_classes"] = "drop"
        found.comments["rare_classes"] = (
            f"{groups.idxmin()!r} has {counted(groups.min(), 'group')} (patients or images)"
        )
    return FOLDS if kept.empty or kept.min() >= FOLDS else FEWEST_FOLDS


def sizes_for(side: int, factor: int, gpu: bool) -> tuple[int, int]:
    """Image sides for the autoencoder (a multiple of its factor) and for classifiers (a divisor of the first)."""
    most, seen = (
        (SIZES[-1], SIDE_OF_CLASSIFIERS) if gpu else (own_small()["image_size"], own_small()["classifier_size"])
    )
    size = max(each for each in SIZES if each <= max(min(side, most), SIZES[0]))
    size = max(-(-size // factor), SMALLEST_GRID) * factor
    small = size if size <= seen else size // 2
    return size, small if size % small == 0 else size


def study_text(title: str, images: tuple, autoencoder: tuple, config: dict, machine: tuple) -> str:
    """The text of the study file, with comments."""
    (folder, found), (name, entry, layout), (side, splits, gpu) = images, autoencoder, machine
    dataset, factor = slug(folder, config["datasets"]), layout["factor"]
    size, small = sizes_for(side, factor, gpu)
    controls = controls_of(factor, config)
    lossless = [one for one in controls if (controls[one] or config["autoencoders"][one])["class"] == LOSSLESS]
    parts = [
        "# Written by `learnability new`, with what was found and what was guessed. Merged over config.yaml; every key",
        "# is in docs/configuration.md. Next: `learnability plan --configfile` and this file.",
        "",
        f"results: results/{slug(title, {})}",
        f"image_size: {size}   # input of the autoencoder; the images have about {side} pixels on the longer side",
        f"classifier_size: {small}   # what classifiers of images and reconstructions see",
        "",
        "study:",
        f"  datasets: [{dataset}]",
        f"  autoencoders: [{', '.join([name, *lossless])}]   # yours, and the lossless control on its grid",
        f"  controls: [{', '.join(controls)}]   # does it find existing gaps, and only those?",
        "" if layout.get("decodes", True) else "  spaces: [image, latent]   # there is no decoder",
        f"  n_splits: {splits}",
        f"  folds: {[*range(splits)]}",
        "  recipes: {table4: [], ablation_controls: []}   # without this line, what narrows the gap is tried too",
        f"  limited_to: {{gap_decomposition: {{autoencoders: [{name}]}}}}",
        "  efficiency: null   # Table 3, which is on ImageNet",
        "",
        "datasets:",
        f"  {dataset}:",
        f"    label: {quoted(re.sub('[{}]', '', folder))}",
        *(f"    {key}: {quoted(value)}{remark(found, key)}" for key, value in found.entry.items()),
        *asked_for(found),
        "",
        *text_of_autoencoders({name: entry} | controls),
        small_networks() if not gpu else SMALL_GRID % (size // factor) if size // factor < PUBLISHED_GRID else "",
    ]
    return re.sub("\n{3,}", "\n\n", "\n".join(parts)).replace("\n\n  n_splits", "\n  n_splits").rstrip() + "\n"


def text_of_autoencoders(entries: dict[str, dict | None]) -> list[str]:
    """The text of entries that config.yaml does not have."""
    lines = []
    for name, entry in entries.items():
        if entry:
            lines += [f"  {name}:", *(f"    {key}: {quoted(value)}" for key, value in entry.items())]
    return ["autoencoders:", *lines, ""] if lines else []


def asked_for(found: Found) -> list[str]:
    """Comments that ask the reader of the file to decide something."""
    key = GROUP_KEYS[found.entry["format"]]
    asked = f"which images are of one patient? Say it by {key}; without it a patient may be in training and in test"
    return [
        *([] if key in found.entry else [f"    # {asked}"]),
        "    # deduplicate: true   # equal images in two groups stop the preparation; this puts their groups together",
        *([] if "subset" in found.entry else ["    # subset: {images: 1000}   # a part, for a first look"]),
        "    # shareable: true   # where the licence lets images be passed on",
    ]


def remark(found: Found, key: str) -> str:
    return f"   # {found.comments[key]}" if key in found.comments else ""


def quoted(value) -> str:
    """A value as YAML, which reads JSON; plain words need no quotes."""
    plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9 _/.-]*[A-Za-z0-9]", value)
    return value if plain and value.lower() not in YAML_WORDS else json.dumps(value, ensure_ascii=False)
