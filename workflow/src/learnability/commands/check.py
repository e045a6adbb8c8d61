"""What `learnability check` says before GPU time is spent: what is there, what is not, what will be written."""

import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..datasets.folds import warnings_of_folds
from ..datasets.names import warnings_of
from ..datasets.prepare import UNREADABLE, fit
from ..datasets.published_counts import describe_published
from ..datasets.source import Source, describe_left_out, open_source, opens_at_once, spread_rows
from ..errors import InputError
from ..registry import is_control
from ..storage.arrays import as_rgb
from ..study.array_sizes import encoding_bytes, packing_bytes, row_shape
from ..study.cells import (
    BACKBONE,
    all_cells,
    check_study,
    controls_of_grids,
    efficiency,
    resolve_autoencoder,
    uses_lpips,
)
from ..study.recipes import pretrained_weights, resolve_recipe
from ..workflow.hub import weights_to_fetch
from .damage import damaged_results
from .missing import check_dataset, check_finetuning, check_hub, check_python, check_training, check_weights
from .visible_gaps import in_words, reading, visible_gaps

LOOKED_AT = 50  # image files of a dataset that are read


@dataclass
class Line:
    """One finding: what it is about, what was found, and whether the study can run in spite of it."""

    subject: str
    text: str
    ready: bool = True
    warning: bool = False


def examine(config: dict, images_per_autoencoder: int) -> list[Line]:
    """Look at every dataset, autoencoder and starting weight of the study, and at this machine."""
    check_study(config)
    datasets, sizes = [], {}
    of_table3 = [part["dataset"]] if (part := efficiency(config)) else []
    for name in dict.fromkeys([*config["study"]["datasets"], *of_table3]):
        lines, sizes[name] = examine_dataset(config, name)
        datasets += lines
    autoencoders = []
    images, origin = example_images(config, images_per_autoencoder, sizes)
    known = sum(number for number in sizes.values() if number is not None)
    for name in dict.fromkeys([*config["study"]["autoencoders"], *config["study"]["controls"]]):
        autoencoders += examine_autoencoder(config, name, images, origin, known)
    damage = [Line("results", text, ready=False) for text in damaged_results(Path(config["results"]))]
    power = [] if damage else examine_power(config)  # which reads what is prepared
    return [*datasets, *autoencoders, *examine_starts(config), *power, *examine_machine(config, sizes), *damage]


def examine_power(config: dict) -> list[Line]:
    """How small a gap the study could see on each dataset, and what that rests on."""
    if found := visible_gaps(config):
        lines = [Line(each.dataset, in_words(each)) for each in found]
        return [*lines, *(Line("gaps", text) for text in reading(config, found))]
    return []


def examine_dataset(config: dict, name: str) -> tuple[list[Line], int | None]:
    """Whether a dataset is there, its classes, counts and doubtful names, and its images' number (None: not there)."""
    if messages := check_dataset(config, {"dataset": name}):
        return [Line(name, messages[0].removeprefix(f"datasets.{name}: "), ready=False)], None
    if not opens_at_once(config["datasets"][name]):
        return [Line(name, "found; its images are counted when they are prepared")], None
    source = open_source(config["datasets"][name])
    counts = source.samples["label_name"].value_counts()
    rare = f"{counts.index[-1]} {counts.iloc[-1]:,}, {counts.index[0]} {counts.iloc[0]:,}"
    kind = "phantom (synthetic)" if source.synthetic else "found"
    found = (
        f"{kind}: {len(source.samples):,} images of {source.samples['group'].nunique():,} groups in "
        f"{len(source.classes)} classes (from {rare}; {counts.iloc[0] / counts.iloc[-1]:.1f} : 1)"
        f"; {describe_published(source.published)}; grouped by: {source.grouped_by}"
    )
    warnings = warnings_of(source.names, source.samples, source.grouped)
    warnings += warnings_of_folds(source.samples, config["study"]["n_splits"])
    left_out = [Line(name, text)] if (text := describe_left_out(source)) else []
    lines = [Line(name, found), *left_out, *(Line(name, text, warning=True) for text in warnings)]
    return [*lines, *examine_images(config, name, source)], len(source.samples)


def examine_images(config: dict, name: str, source: Source) -> list[Line]:
    """Whether some image files, spread over the dataset, can be read, and whether colour is lost by `channels: 1`."""
    rows = spread_rows(source, LOOKED_AT) if source.path else []
    coloured, bad, allowed = 0, [], config["datasets"][name]["max_bad_images"]
    for i in rows:
        try:
            coloured += source.has_colour(i, source.read(i))
        except UNREADABLE as error:
            bad.append(f"{source.samples['sample_id'].iloc[i]}: {error}")
    lines, looked_at = [], f"of {len(rows)} images that were looked at"
    if bad:
        text = f"{len(bad)} {looked_at} cannot be read, {allowed} are allowed (max_bad_images); the first is {bad[0]}"
        lines.append(Line(name, text, ready=len(bad) <= allowed, warning=len(bad) <= allowed))
    if coloured and source.channels == 1:
        text = f"{coloured} {looked_at} have colour, which `channels: 1` makes grey; `channels: 3` keeps it"
        lines.append(Line(name, text, warning=True))
    return lines


def example_images(config: dict, number: int, sizes: dict[str, int | None]) -> tuple[np.ndarray, str]:
    """Some images at `image_size`, uint8 (n, S, S, 3), spread over the first dataset that is there, and its name.

    `sizes` has the images of each dataset, None where it is not there or not counted (examine_dataset).
    """
    for name in config["study"]["datasets"]:
        entry = config["datasets"][name]
        if number and sizes[name] is not None:
            source, pictures = open_source(entry), []
            for i in spread_rows(source, number):
                with suppress(*UNREADABLE):  # examine_images says so
                    pictures.append(fit(source.read(i), config["image_size"], entry["resize"]))
            if pictures:
                return as_rgb(np.stack(pictures)), name
    return np.empty((0, 1, 1, 3), np.uint8), ""


def examine_autoencoder(config: dict, name: str, images: np.ndarray, origin: str, known: int) -> list[Line]:
    """Whether the weights are there or can be fetched, what the latents of `known` images weigh, and a round trip."""
    entry = resolve_autoencoder(config, name)
    owner = config["autoencoders"][name].get("base", name)
    check_own = check_finetuning if "finetune" in entry else check_weights
    messages = check_own(config, {"autoencoder": name})
    fetched = Path(config["results"], "weights", owner)
    if owner in weights_to_fetch(config):
        there = (fetched / "source.json").is_file()
        messages = [] if there else check_hub(config, {"name": owner})
        state = f"weights fetched into {fetched}" if there else f"weights will be fetched from {entry['source']}"
        entry = entry | {"folder": str(fetched)} if there else entry
    else:
        there = not messages
        state = "needs no weights" if is_control(entry) else "weights found"
    written = known * encoding_bytes(config, name) / 1e6
    shape = f"{' x '.join(map(str, row_shape(config, 'latent', name)))}, {written:,.1f} MB with reconstructions"
    lines = [Line(name, f"{state}; latent {shape}")]
    if messages:
        lines = [Line(name, messages[0].partition(": ")[2], ready=False)]
    elif "finetune" in entry:
        lines[0].text = f"fine-tuned by the workflow from {owner}; latent {shape}"
    elif there and len(images):
        lines += examine_round_trip(name, entry, images, origin)
    return lines


def examine_round_trip(name: str, entry: dict, images: np.ndarray, origin: str) -> list[Line]:
    """A few images encoded and decoded: PSNR, moments of the latent, and what looks wrong."""
    import torch

    from ..autoencoders.encode import check_layout
    from ..autoencoders.interface import load_autoencoder
    from ..autoencoders.randomness import check_repeats
    from ..autoencoders.round_trip import round_trip

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        autoencoder = load_autoencoder(entry, device)
        check_layout(name, entry, autoencoder, images.shape[1])
        check_repeats(name, entry, autoencoder, images, device)
        found = round_trip(name, autoencoder, entry, images, device)
    except InputError as error:
        return [Line(name, str(error), ready=False)]
    quality = "no decoder" if found["psnr"] is None else f"PSNR {found['psnr']:.2f} dB"
    if found["identical"]:
        number = "all" if found["identical"] == len(images) else found["identical"]
        quality += f", {number} come back identical"
    lines = [Line(name, f"round trip of {len(images)} images of {origin} at {images.shape[1]} px: {quality}")]
    for label in ("mean", "std", "rms") if not is_control(entry) else ():
        values = found[label]
        shown = " ".join(f"{value:.2f}" for value in values[:8]) + (" ..." if len(values) > 8 else "")
        lines.append(Line(name, f"latent {label} per channel ({min(values):.2f} to {max(values):.2f}): {shown}"))
    return lines + [Line(name, text, warning=True) for text in found["warnings"]]


def examine_starts(config: dict) -> list[Line]:
    """Whether the networks fit their grids, and the weights that they start from are there or can be fetched."""
    misfits: dict[str, Line] = {}
    tuned = [name for name in config["study"]["autoencoders"] if uses_lpips(config["autoencoders"][name])]
    needed_by = {BACKBONE: tuned[0]} if tuned else {}
    for cell in all_cells(config):
        recipe = resolve_recipe(config, cell["recipe"])
        for message in check_training(config, cell):
            misfits[message] = Line(cell["recipe"], message, ready=False)
        if pretrained_weights(config, recipe):
            needed_by.setdefault(recipe.model, cell["recipe"])
    fetched = weights_to_fetch(config)
    starts = [examine_start(config, model, subject) for model, subject in needed_by.items() if model in fetched]
    return [*misfits.values(), *starts]


def examine_start(config: dict, model: str, subject: str) -> Line:
    """Whether the weights of a network are fetched, or can be from here."""
    if Path(config["results"], "weights", model, "source.json").is_file():
        return Line(subject, f"weights of {model} fetched")
    if messages := check_hub(config, {"name": model}):
        return Line(subject, messages[0], ready=False)
    return Line(subject, f"weights of {model} will be fetched")


def examine_machine(config: dict, sizes: dict[str, int | None]) -> list[Line]:
    """Bytes that the study will write against the free disk, and what torch sees of this machine."""
    import torch

    known = {name: number for name, number in sizes.items() if number is not None}
    per_image = packing_bytes(config, channels=3)  # grey images take a third of the larger array
    controls = [name for name in controls_of_grids(config).values() if name]
    for name in dict.fromkeys([*config["study"]["autoencoders"], *controls, *config["study"]["controls"]]):
        per_image += encoding_bytes(config, name)
    folder = Path(config["results"]).absolute()
    folder = next(path for path in [folder, *folder.parents] if path.is_dir())
    free = shutil.disk_usage(folder).free
    needed = per_image * sum(known.values())
    absent = ", ".join(name for name in sizes if name not in known)
    text = f"arrays need at most {needed / 1e9:.1f} GB, {per_image / 1e6:.2f} MB an image; {free / 1e9:.1f} GB are free"
    text += f" (not counted: {absent})" if absent else ""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU here"
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU"
    python = [Line("python", text, ready=False) for text in check_python(sys.executable)]
    return [
        *python,
        Line("disk", text, ready=needed < free),
        Line("torch", f"{torch.__version__}, {build} build, {gpu}"),
    ]
