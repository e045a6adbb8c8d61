"""The command `learnability diagnose`: describes an autoencoder's latents of a folder of images, without labels."""

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd

from ..autoencoders.families.weights import weight_files
from ..datasets.formats.folder_tree import Tree
from ..errors import InputError
from ..significance.diagnostics_vs_gap import SUSPECTS
from ..storage.contracts import write_csv, write_text
from ..study.cells import resolve_autoencoder
from ..study.configuration import read_config
from ..study.sources import is_folder
from ..study.words import counted
from ..tables.diagnostic_labels import label_of
from ..tables.formats import render
from ..tables.layout import MISSING, Layout
from .new_autoencoder import controls_of, find_autoencoder

IMAGES = "images"  # the images themselves, at the latent's grid
SHOWN = (
    *SUSPECTS[:2],
    ("radial_slope", "normalised"),
    ("effective_rank", "normalised"),
    ("mle_dimension", "normalised"),
    ("lds", "normalised;near=1,far=6"),
    SUSPECTS[2],
    ("equivariance_encoder", "normalised;transform=flip"),
    ("equivariance_decoder", "normalised;transform=turn"),
    ("posterior_noise_share", "raw"),
)


def add_diagnose(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("diagnose", help="what an autoencoder's latents are like: no labels, no study")
    add = parser.add_argument
    add("--autoencoder", required=True, metavar="ENTRY", help="a name of the configuration, a folder, or module:Class")
    add("--images", required=True, type=Path, metavar="FOLDER", help="a folder; images in folders below it count too")
    add("--number", type=int, default=256, metavar="N", help="how many images, drawn evenly from the folder (256)")
    add("--size", type=int, default=128, metavar="PIXELS", help="side to which images are resized (128)")
    add(
        "--out",
        type=Path,
        default=Path("diagnosis"),
        metavar="FOLDER",
        help="where the CSV and the page go (diagnosis)",
    )
    add(
        "--configfile", nargs="*", default=[], type=Path, metavar="FILE", help="study files, whose entries can be named"
    )
    parser.set_defaults(run=diagnose)


def diagnose(chosen: argparse.Namespace) -> None:
    from rich.console import Console

    from ..generation.images import read_fitted

    config, size = read_config(*chosen.configfile), chosen.size
    name, entry = find_autoencoder(chosen.autoencoder, config)
    entry = with_weights(name, entry or resolve_autoencoder(config, name), config)
    if size < 1 or size % entry["factor"]:
        raise InputError(f"--size {size}: expected a multiple of {entry['factor']}, the factor of {name}")
    paths = images_below(chosen.images)
    if min(chosen.number, len(paths)) < 2:
        raise InputError(
            f"{chosen.images}: {counted(len(paths), 'image')}, --number {chosen.number}; at least 2 are needed"
        )
    paths = [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, chosen.number).astype(int))]
    images = np.stack([read_fitted(path, size, "squash") for path in paths])
    controls = controls_of(entry["factor"], config).items()
    entries = {name: entry} | {other: found or resolve_autoencoder(config, other) for other, found in controls}
    names = [str(path.relative_to(chosen.images)) for path in paths]
    table = pd.concat(tables(images, names, entries, str(chosen.images)), ignore_index=True)
    write_csv(table, chosen.out / "diagnostics.csv")
    write_text(page(table, name, len(images), size), chosen.out / "diagnostics.html")
    Console().print(console_table(table))
    print(f"{len(images)} images of {size} px; every number beside its null: {chosen.out}/diagnostics.html and .csv")


def images_below(folder: Path) -> list[Path]:
    """Every image of a folder and of the folders in it, in order."""
    if not folder.is_dir():
        raise InputError(f"--images {folder}: no such folder")
    return [folder / name for name in Tree(folder, ["*"], []).images_of_class("", subfolders=True)]


def with_weights(name: str, entry: dict, config: dict) -> dict:
    """The entry, with the folder of weights that the workflow fetched; an InputError says how to get those it lacks."""
    fetched = Path(config["results"], "weights", name)
    if "finetune" in entry:
        raise InputError(
            f"--autoencoder {name}: the study fine-tunes it, for each dataset; give {entry['base']}, or the folder of "
            f"weights that a study tuned, {fetched.parent}/DATASET/{name}"
        )
    if ":" in entry["class"] or is_folder(entry.get("source", "/")):
        return entry
    if (fetched / "source.json").is_file():
        return entry | {"folder": str(fetched)}
    revision = f" --revision {entry['revision']}" if "revision" in entry else ""
    known = f"set autoencoders.{name}.source to ./{name} in a file and name it with --configfile"
    raise InputError(
        f"--autoencoder {name}: the weights of {entry['source']} are not in {fetched}, where a study fetches them; run "
        f"`hf download {entry['source']} {' '.join(weight_files(entry))}{revision} --local-dir ./{name}`, then "
        + (known if name in config["autoencoders"] else f"give --autoencoder ./{name}")
    )


def tables(images: np.ndarray, names: list[str], entries: dict[str, dict], dataset: str) -> list[pd.DataFrame]:
    """The rows of the images at the latents' grid, then of each autoencoder on the same images (n, H, W, 3).

    Images that are encoded again are drawn from all: a folder's first ones may be of one kind.
    """
    from ..autoencoders.interface import load_autoencoder
    from ..diagnostics.encoder import noise_share
    from ..diagnostics.encoding import SAMPLE, Seen, as_table, diagnose_array, diagnose_sample
    from ..diagnostics.images import AtGrid
    from ..diagnostics.samples import sample
    from ..storage.channel_sums import channel_sums
    from ..workflow.jobs import choose_device, keep_freed_memory

    keep_freed_memory()
    device = choose_device(os.cpu_count())
    alone, chosen = np.arange(len(images)), sample(len(images), SAMPLE)
    seen = Seen(chosen, images[chosen])
    pixels = AtGrid(images, images.shape[1] // next(iter(entries.values()))["factor"])
    of_images = diagnose_array(pixels, channel_sums(pixels[:]), seen, alone, device)
    found = [as_table(of_images.rows, dataset, IMAGES, "baseline")]
    for name, entry in entries.items():
        autoencoder = load_autoencoder(entry, device)
        z, variance = encoded(name, autoencoder, entry, images, names, device)
        sums = channel_sums(z)
        of_latents = diagnose_array(z, sums, seen, alone, device)
        rows = [*of_latents.rows, noise_share(variance, of_latents.std, len(z))]
        rows += diagnose_sample(autoencoder, entry, seen.images, sums, z[0, 0].size, device)
        found.append(as_table(rows, dataset, name, entry["role"]))
    return found


def encoded(
    name: str, autoencoder, entry: dict, images: np.ndarray, names: list[str], device
) -> tuple[np.ndarray, list[float] | None]:
    """Latents (n, C, h, w) of images with their names (n), as a study stores them; the posterior's variance (C,)."""
    import torch

    from ..autoencoders.encode import images_at_once, mean_variance
    from ..autoencoders.interface import scale_input
    from ..autoencoders.passes import encode_posterior
    from ..diagnostics.latents import blocks

    at_once = images_at_once(images.shape[1], device)
    of_batches = [names[start : start + at_once] for start in range(0, len(names), at_once)]
    with torch.inference_mode():
        parts = [
            encode_posterior(name, autoencoder, scale_input(x.to(device).movedim(-1, 1), entry), ids)
            for x, ids in zip(blocks(images, at_once), of_batches, strict=True)
        ]
    z, variance = zip(*parts, strict=True)
    return torch.cat(z).cpu().numpy(), mean_variance(np.concatenate(variance))


def shown(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else MISSING


def lines(table: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """The shown numbers: what each is called, and of every encoding in order."""
    found = table.set_index(["autoencoder", "diagnostic", "variant"])["value"]
    names = table["autoencoder"].unique()
    return [(label_of(*key), [shown(found.get((name, *key))) for name in names]) for key in SHOWN]


def console_table(table: pd.DataFrame):
    from rich.table import Table

    console = Table("", title="What the latents are like, beside the images at the same grid and both controls")
    for name in table["autoencoder"].unique():
        console.add_column(name, justify="right")
    for label, values in lines(table):
        console.add_row(label, *values)
    return console


def page(table: pd.DataFrame, name: str, number: int, size: int) -> str:
    """A light page: the shown numbers, and every number beside its null."""
    about = (
        f"{number} images of {size} px, without labels. In the column {IMAGES} are the images themselves at the "
        "latent's grid."
    )
    null = (
        "The null of a number is what it would be if cells, channels or neighbours had nothing to do with each other."
    )
    shown_numbers = [(label, [values]) for label, values in lines(table)]
    every = [
        [(name, rows[["diagnostic", "variant", "value", "null", "n"]].map(in_full).to_numpy().tolist())]
        for name, rows in table.groupby("autoencoder", sort=False)
    ]
    heads = [("Encoding", [*table["autoencoder"].unique()])]
    return render(
        Layout(f"Latents of {name}", about, [""], heads, [shown_numbers], []),
        Layout("Every number", null, ["Encoding", "Number", "Variant"], [("Of it", ["value", "null", "n"])], every, []),
    )["html"]


def in_full(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
