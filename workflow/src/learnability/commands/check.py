"""What `learnability check` reports before GPU time is spent: what exists, is missing and will be written."""

import shutil
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..datasets.folds import warnings_of_folds
from ..datasets.names import warnings_of
from ..datasets.prepare import UNREADABLE, fit
from ..datasets.published_counts import describe_published
from ..datasets.sample import look_at
from ..datasets.source import Source, describe_left_out, open_source, spread_rows
from ..storage.arrays import as_rgb
from ..study.array_sizes import encoding_bytes, packing_bytes, views_bytes
from ..study.cells import all_cells, efficiency
from ..study.encodings import BACKBONE, tuned_per_fold, uses_lpips
from ..study.recipes import pretrained_weights, resolve_recipe
from ..study.refusals import check_study
from ..study.words import counted
from ..workflow.hub import weights_to_fetch
from .check_autoencoders import examine_autoencoder
from .damage import damaged_results
from .lines import Line, lines_of
from .missing import check_hub, check_pretrained, check_python, check_training
from .missing_data import open_checked, too_many_bad
from .visible_gaps import in_words, reading, visible_gaps


def examine(config: dict, images_per_autoencoder: int) -> list[Line]:
    """Examine every dataset, autoencoder and starting weight of the study, and this machine.

    Each gets its lines, even if examining it raises an error.
    """
    check_study(config)
    found, sizes = [], {}
    of_table3 = [part["dataset"]] if (part := efficiency(config)) else []
    for name in dict.fromkeys([*config["study"]["datasets"], *of_table3]):
        sizes[name] = None
        found += lines_of(name, examine_dataset, config, name, sizes)
    images, origin = example_images(config, images_per_autoencoder, sizes)
    known = sum(number for number in sizes.values() if number is not None)
    for name in dict.fromkeys([*config["study"]["autoencoders"], *config["study"]["controls"]]):
        found += lines_of(name, examine_autoencoder, config, name, images, origin, known)
    found += lines_of("recipes", examine_starts, config)
    damage = lines_of("results", examine_results, config)
    if not damage:  # it reads prepared data
        found += lines_of("gaps", examine_power, config)
    return found + examine_machine(config, sizes) + damage


def examine_results(config: dict) -> list[Line]:
    """Report damaged files in the results folder."""
    return [Line("results", text, ready=False) for text in damaged_results(Path(config["results"]))]


def examine_power(config: dict) -> list[Line]:
    """Report how small a gap the study could see on each dataset, and what that rests on."""
    if found := visible_gaps(config):
        lines = [Line(each.dataset, in_words(each)) for each in found]
        return [*lines, *(Line("gaps", text) for text in reading(config, found))]
    return []


def examine_dataset(config: dict, name: str, sizes: dict[str, int | None]) -> list[Line]:
    """Report whether a dataset is there, its classes, counts and doubtful names; put its size into `sizes`."""
    source = open_checked(config, name)
    if source is None:
        return [Line(name, "found; its images are counted when they are prepared")]
    sizes[name] = len(source.samples)
    counts = source.samples["label_name"].value_counts()
    rare = f"{counts.index[-1]} {counts.iloc[-1]:,}, {counts.index[0]} {counts.iloc[0]:,}"
    kind = "phantom (synthetic)" if source.synthetic else "found"
    found = (
        f"{kind}: {counted(len(source.samples), 'image')} of {counted(source.samples['group'].nunique(), 'group')} in "
        f"{counted(len(source.classes), 'class')} (from {rare}; {counts.iloc[0] / counts.iloc[-1]:.1f} : 1)"
        f"; {describe_published(source.published)}; grouped by: {source.grouped_by}"
    )
    warnings = warnings_of(source.names, source.samples, source.grouped)
    warnings += warnings_of_folds(source.samples, config["study"]["n_splits"])
    left_out = [Line(name, text)] if (text := describe_left_out(source)) else []
    lines = [Line(name, found), *left_out, *(Line(name, text, warning=True) for text in warnings)]
    return [*lines, *examine_images(config, name, source)]


def examine_images(config: dict, name: str, source: Source) -> list[Line]:
    """Report unreadable files in a sample spread over the dataset, and whether `channels: 1` loses colour."""
    look, lines = look_at(source), []
    if refused := too_many_bad(config, name, source, look):
        lines.append(Line(name, refused, ready=False))
    elif look.bad:
        allowed = config["datasets"][name]["max_bad_images"]
        lines.append(Line(name, look.in_words(source, allowed), warning=True))
    if look.coloured and source.channels == 1:
        text = f"colour in {look.coloured} of {counted(look.read, 'image')} looked at, which `channels: 1` makes grey"
        lines.append(Line(name, f"{text}; `channels: 3` keeps it", warning=True))
    return lines


def example_images(config: dict, number: int, sizes: dict[str, int | None]) -> tuple[np.ndarray, str]:
    """Some images at `image_size`, uint8 (n, S, S, 3), spread over the first available dataset, and its name.

    `sizes` has the number of images of each dataset, None if it is missing or not counted (examine_dataset). If no
    dataset has any, the images are noise and the name is empty.
    """
    for name in config["study"]["datasets"]:
        entry = config["datasets"][name]
        if number and sizes[name] is not None:
            source, pictures = open_source(entry), []
            for i in spread_rows(source, number):
                with suppress(*UNREADABLE):  # examine_images reports these
                    pictures.append(fit(source.read(i), config["image_size"], entry["resize"]))
            if pictures:
                return as_rgb(np.stack(pictures)), name
    size = config["image_size"]
    return np.random.default_rng(0).integers(0, 256, (min(number, 2), size, size, 3), np.uint8), ""


def examine_starts(config: dict) -> list[Line]:
    """Report whether networks fit their grids, and whether their starting weights exist or can be fetched."""
    from .missing_networks import wrong_networks  # imports torch

    misfits: dict[str, Line] = {}
    tuned = [name for name in config["study"]["autoencoders"] if uses_lpips(config["autoencoders"][name])]
    needed_by = {BACKBONE: tuned[0]} if tuned else {}
    for cell in all_cells(config):
        recipe = resolve_recipe(config, cell["recipe"])
        for message in check_training(config, cell):
            misfits[message] = Line(cell["recipe"], message, ready=False)
        if pretrained_weights(config, recipe):
            needed_by.setdefault(recipe.model, cell["recipe"])
    for message, name in wrong_networks(config, all_cells(config)).items():
        misfits.setdefault(message, Line(name, message, ready=False))
    if teacher := (config["study"]["diagnostics"] or {}).get("teacher"):
        needed_by.setdefault(teacher, "diagnostics")
        for message in check_pretrained(config, teacher, "image"):
            misfits[message] = Line("diagnostics", message, ready=False)
    fetched = weights_to_fetch(config)
    starts = [examine_start(config, model, subject) for model, subject in needed_by.items() if model in fetched]
    return [*misfits.values(), *starts]


def examine_start(config: dict, model: str, subject: str) -> Line:
    """Report whether the weights of a network are fetched, or can be fetched from here."""
    if Path(config["results"], "weights", model, "source.json").is_file():
        return Line(subject, f"weights of {model} fetched")
    if messages := check_hub(config, {"name": model}):
        return Line(subject, messages[0], ready=False)
    return Line(subject, f"weights of {model} will be fetched")


def bytes_of_image(config: dict) -> int:
    """Bytes that a study stores of an image at most: packed, in every encoding, and of its turned copies there."""
    runs = [cell for cell in all_cells(config) if cell["autoencoder"] in config["autoencoders"]]
    names = dict.fromkeys([*config["study"]["autoencoders"], *(cell["autoencoder"] for cell in runs)])
    stored = {name: encoding_bytes(config, name) for name in names}
    views = {(cell["autoencoder"], resolve_recipe(config, cell["recipe"]).views) for cell in runs}
    for name, turned in views:
        stored[name] += views_bytes(config, name, turned.copies) if turned else 0
    folds = {name: len(config["study"]["folds"]) if tuned_per_fold(config, name) else 1 for name in names}
    packed = packing_bytes(config, channels=3)  # grey images take a third of the larger array
    return packed + sum(folds[name] * stored[name] for name in names)


def examine_machine(config: dict, sizes: dict[str, int | None]) -> list[Line]:
    """Compare the bytes that the study will write with the free disk, and report what torch sees of this machine."""
    import torch

    known = {name: number for name, number in sizes.items() if number is not None}
    per_image = bytes_of_image(config)
    folder = Path(config["results"]).absolute()
    folder = next(path for path in [folder, *folder.parents] if path.is_dir())
    free = shutil.disk_usage(folder).free
    needed = per_image * sum(known.values())
    absent = ", ".join(name for name in sizes if name not in known)
    text = f"arrays need at most {needed / 1e9:.1f} GB, {per_image / 1e6:.2f} MB an image; {free / 1e9:.1f} GB are free"
    text += f" (not counted: {absent})" if absent else ""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU here"
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU"
    without = "unless jobs have an environment of their own (--sdm conda), the study cannot start"
    python = [Line("python", f"{without}: {text}", warning=True) for text in check_python(sys.executable)]
    return [
        *python,
        Line("disk", text, ready=needed < free),
        Line("torch", f"{torch.__version__}, {build} build, {gpu}"),
    ]
