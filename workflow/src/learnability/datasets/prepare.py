"""Decode every image of a collection once, bring it to size, and pack it (the step prepare_dataset)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from ..errors import InputError
from ..storage.arrays import PackedWriter, area_average, as_rgb
from ..storage.contracts import SAMPLES, file_digest, write_csv, write_json, write_parquet, write_text
from ..study.words import counted
from .classes import check_classes, rare_classes, with_labels
from .duplicates import check_choice, count_duplicates, digest_image, refuse_duplicates, warnings_of_duplicates
from .folds import largest_group
from .names import doubtful_names, warnings_of
from .published_counts import describe_published
from .selection import Selection, select
from .source import Source, check_images_exist, check_samples, describe_left_out, open_source

BLOCK = 64  # images decoded before they are written; limits the memory and the useful number of threads
UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)  # PIL's, for missing and broken files


def prepare_dataset(
    name: str, entry: dict, image_size: int, classifier_size: int, n_splits: int, folder: Path, threads: int
):
    """Write images.npy, images_small.npy, samples.parquet and dataset.json of one dataset into `folder`.

    images.npy is uint8 (N, image_size, image_size, C); images_small.npy (N, s, s, 3) is its area average. Unreadable
    images are listed, and more than `max_bad_images` of them stop the job. Images with equal pixels are listed too;
    those in two groups stop the job, unless `deduplicate` merges their groups or `duplicates` keeps them. Memory grows
    with N only by what samples.parquet holds and a digest per image.
    """
    source = open_source(entry, threads)
    check_samples(source.samples, name)
    print(f"{name}: {counted(len(source.samples), 'image')}; {describe_published(source.published)}", flush=True)
    if text := describe_left_out(source):
        print(f"{name}: {text}", flush=True)
    check_choice(name, entry)
    if entry["rare_classes"] == "drop":
        source = without_classes(source, rare_classes(source.samples, source.classes, n_splits))
    check_classes(name, entry, source.classes, source.samples, settled=entry["rare_classes"] != "drop")
    check_images_exist(source)
    bad: dict[int, str] = {}
    images = PackedWriter(folder / "images.npy", (image_size, image_size, source.channels), "uint8")
    small = PackedWriter(folder / "images_small.npy", (classifier_size, classifier_size, 3), "uint8")
    with images, small:
        contents, coloured = write_images(name, source, entry["resize"], threads, images, small, bad)
        check_bad_images(bad, source, entry["max_bad_images"], folder)
        selection = select(source.samples.drop(index=list(bad)), contents, source.classes, entry, n_splits)
        if selection.dropped:
            source = without_classes(source, selection.dropped)
            images.keep(selection.rows)
            small.keep(selection.rows)
        check_classes(name, entry, source.classes, selection.samples, settled=True)
        duplicates = report_duplicates(name, selection, entry, folder)
    samples = with_labels(selection.samples, source.classes)
    write_parquet(samples[SAMPLES], folder / "samples.parquet")
    card = make_card(name, entry, source, samples, image_size, classifier_size)
    coloured = int(coloured[selection.rows].sum())
    card |= {"duplicates": duplicates, "bad_images": len(bad), "images_with_colour": coloured}
    if source.channels == 1 and coloured:
        print(f"images with colour, which `channels: 1` made grey: {coloured} of {len(samples)}")
    card |= describe_names(name, source, selection, entry["deduplicate"])
    digests = {"digest_samples": file_digest(folder / "samples.parquet")}
    digests |= {"digest": images.digest, "digest_small": small.digest}
    write_json(card | digests, folder / "dataset.json")


def without_classes(source: Source, rare: dict[str, int]) -> Source:
    """Leave out these classes, given with their numbers of groups, and note it in the provenance."""
    print(f"classes dropped, with their groups, because these are fewer than the folds: {rare or 'none'}", flush=True)
    return source.take(
        np.flatnonzero(~source.samples["label_name"].isin(rare)),
        classes=[label for label in source.classes if label not in rare],
        provenance=source.provenance | {"classes_dropped": source.provenance.get("classes_dropped", {}) | rare},
    )


def write_images(
    name: str,
    source: Source,
    resize: str,
    threads: int,
    images: PackedWriter,
    small: PackedWriter,
    bad: dict[int, str],
) -> tuple[bytes, np.ndarray]:
    """Pack every readable image in both sizes, and note the others in `bad`.

    Returns the digest of each packed image, and whether it has colour (N,).
    """
    contents, coloured = bytearray(), []
    for block in read_blocks(source, images.row_shape[0], small.row_shape[0], resize, threads, bad):
        images.write(np.stack([packed.image for packed in block]))
        small.write(np.stack([packed.small for packed in block]))
        contents += b"".join(packed.digest for packed in block)
        coloured += [packed.coloured for packed in block]
        print(f"{name}: {images.rows + len(bad)} of {len(source.samples)} images", flush=True)
    return bytes(contents), np.array(coloured)


class Packed(NamedTuple):
    """One image as it is packed."""

    image: np.ndarray  # uint8 (size, size, C)
    small: np.ndarray  # uint8 (s, s, 3)
    digest: bytes
    coloured: bool  # in its file


def read_blocks(
    source: Source, size: int, small: int, resize: str, threads: int, bad: dict[int, str]
) -> Iterator[list[Packed]]:
    """Yield the images in order, in blocks; note unreadable ones in `bad` and leave them out."""

    def read(i: int) -> Packed | None:
        try:
            found = source.read(i)
            image, coloured = fit(found, size, resize), source.has_colour(i, found)
        except UNREADABLE as error:
            bad[i] = f"{type(error).__name__}: {error}"
            return None
        return Packed(image, as_rgb(area_average(image[None], small))[0], digest_image(image), coloured)

    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(source.samples), BLOCK):
            block = pool.map(read, range(start, min(start + BLOCK, len(source.samples))))
            read_ones = [packed for packed in block if packed is not None]
            if read_ones:
                yield read_ones


def fit(image: np.ndarray, size: int, resize: str) -> np.ndarray:
    """Bring uint8 (H, W, C) to (size, size, C): `squash` (as the paper's code does), centre `crop` or black `pad`."""
    height, width, channels = image.shape
    if (height, width) == (size, size):
        return image
    if resize == "crop":
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        image = image[top : top + side, left : left + side]
    elif resize == "pad":
        side = max(height, width)
        top, left = (side - height) // 2, (side - width) // 2
        canvas = np.zeros((side, side, channels), np.uint8)
        canvas[top : top + height, left : left + width] = image
        image = canvas
    picture = Image.fromarray(image if channels == 3 else image[..., 0])
    return np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC)).reshape(size, size, channels)


def check_bad_images(bad: dict[int, str], source: Source, most: int, folder: Path) -> None:
    """Write the list of unreadable images; stop if there are more than the config allows."""
    if not bad:
        (folder / "bad_images.txt").unlink(missing_ok=True)  # of an earlier attempt
        return
    lines = [f"{source.samples['sample_id'].iloc[i]}\t{bad[i]}" for i in sorted(bad)]
    write_text("\n".join(lines) + "\n", folder / "bad_images.txt")
    if len(bad) > most:
        raise InputError(
            f"{counted(len(bad), 'image')} could not be read, and max_bad_images is {most}; the first is {lines[0]}. "
            f"All are listed in {folder / 'bad_images.txt'}: repair them, or raise max_bad_images to leave them out"
        )


def report_duplicates(name: str, selection: Selection, entry: dict, folder: Path) -> dict:
    """Count and list the images with equal pixels; those in two groups stop the job, unless the entry allows them."""
    duplicates, listed = selection.duplicates, folder / "duplicates.csv"
    counts = count_duplicates(duplicates)
    if len(duplicates):
        write_csv(duplicates, listed)
    else:
        listed.unlink(missing_ok=True)  # of an earlier attempt
    print(
        f"exact duplicates: {counted(counts['images'], 'image')}, {counts['across_groups']} with a copy in another "
        f"group, {counts['with_conflicting_labels']} with a copy of another label; groups merged: "
        f"{selection.groups_merged}",
        flush=True,
    )
    if not entry["deduplicate"] and entry.get("duplicates") != "keep":
        refuse_duplicates(duplicates, f"datasets.{name}", str(listed))
    return counts | {"groups_merged": selection.groups_merged}


def describe_names(name: str, source: Source, selection: Selection, merged: bool) -> dict:
    """Describe names and groups for the card, and print the warnings about them.

    The step that makes the folds warns of too large a group, because that depends on the number of folds.
    """
    samples = selection.samples
    warnings = warnings_of(source.names, samples, source.grouped)
    warnings += warnings_of_duplicates(selection.duplicates, merged)
    for text in warnings:
        print(f"warning: {name}: {text}", flush=True)
    doubtful = {column: len(alike) for column, alike in doubtful_names(samples, source.grouped).items()}
    return {
        "names": source.names | {"look_alikes": doubtful},
        "largest_group": largest_group(samples),
        "warnings": warnings,
    }


def make_card(
    name: str, entry: dict, source: Source, samples: pd.DataFrame, image_size: int, classifier_size: int
) -> dict:
    """Describe the packed dataset: classes in order, counts, imbalance, and whether it is synthetic."""
    counts = {label: int((samples["label_name"] == label).sum()) for label in source.classes}
    return {
        "dataset": name,
        "synthetic": source.synthetic,
        "classes": source.classes,
        "positive": entry.get("positive"),
        "images": len(samples),
        "groups": int(samples["group"].nunique()),
        "grouped": source.grouped,
        "grouped_by": source.grouped_by,
        "counts": counts,
        "imbalance_ratio": max(counts.values()) / min(counts.values()),
        "image_size": image_size,
        "classifier_size": classifier_size,
        "channels": source.channels,
        "resize": entry["resize"],
        "subset": entry.get("subset"),
        "published": source.published,
        "provenance": source.provenance,
    }
