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
from ..storage.contracts import SAMPLES, check_samples, file_digest, write_csv, write_json, write_parquet, write_text
from .duplicates import count_duplicates, digest_image, find_duplicates, merge_groups
from .folds import check_rare_classes, find_rare_classes
from .published import describe_published
from .source import Source, check_images_exist, open_source

BLOCK = 64  # images decoded before they are written: bounds the memory, and the threads that are of use
UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)  # PIL's, of missing and broken files


def prepare_dataset(
    name: str, entry: dict, image_size: int, classifier_size: int, n_splits: int, folder: Path, threads: int
):
    """Write images.npy, images_small.npy, samples.parquet and dataset.json of one dataset into `folder`.

    images.npy is uint8 (N, image_size, image_size, C); images_small.npy (N, s, s, 3) its area average. An
    image that cannot be read is listed; more than `max_bad_images` of them stop the job. Images with equal pixels
    are listed too; `deduplicate` puts the groups that share one together. Memory does not grow with N but for
    what samples.parquet holds and a digest per image.
    """
    source = open_source(entry, threads)
    check_samples(source.samples, name)
    print(f"{name}: {len(source.samples)} images; {describe_published(source.published)}", flush=True)
    if entry["rare_classes"] == "drop":
        source = without_rare_classes(source, n_splits)
    check_classes(name, entry, source.classes, source.samples)
    check_images_exist(source)
    bad: dict[int, str] = {}
    contents = bytearray()  # a digest per image
    images = PackedWriter(folder / "images.npy", (image_size, image_size, source.channels), "uint8")
    small = PackedWriter(folder / "images_small.npy", (classifier_size, classifier_size, 3), "uint8")
    with images, small:
        for block in read_blocks(source, image_size, classifier_size, entry["resize"], threads, bad):
            images.write(np.stack([packed.image for packed in block]))
            small.write(np.stack([packed.small for packed in block]))
            contents += b"".join(packed.digest for packed in block)
            print(f"{name}: {images.rows + len(bad)} of {len(source.samples)} images", flush=True)
        check_bad_images(bad, source, entry["max_bad_images"], folder)
        samples = source.samples.drop(index=list(bad)).reset_index(drop=True) if bad else source.samples
        check_classes(name, entry, source.classes, samples)
    label = pd.Categorical(samples["label_name"], categories=source.classes).codes
    samples = samples.assign(label=label.astype("int64"))
    duplicates = report_duplicates(samples, contents, entry["deduplicate"], folder)
    write_parquet(samples[SAMPLES], folder / "samples.parquet")
    card = make_card(name, entry, source, samples, image_size, classifier_size)
    card |= {"duplicates": duplicates, "bad_images": len(bad)}
    digests = {"digest_samples": file_digest(folder / "samples.parquet")}
    digests |= {"digest": images.digest, "digest_small": small.digest}
    write_json(card | digests, folder / "dataset.json")


def without_rare_classes(source: Source, n_splits: int) -> Source:
    """Leave out the classes that have fewer groups than there are folds (`rare_classes: drop`)."""
    rare = find_rare_classes(source.samples, n_splits)
    rare |= dict.fromkeys(sorted(set(source.classes) - set(source.samples["label_name"].unique())), 0)
    print(f"classes dropped, with their groups (fewer than {n_splits}): {rare or 'none'}")
    return source.take(
        np.flatnonzero(~source.samples["label_name"].isin(rare)),
        classes=[label for label in source.classes if label not in rare],
        provenance=source.provenance | {"classes_dropped": rare},
    )


class Packed(NamedTuple):
    """One image as it is packed."""

    image: np.ndarray  # uint8 (size, size, C)
    small: np.ndarray  # uint8 (s, s, 3)
    digest: bytes


def read_blocks(
    source: Source, size: int, small: int, resize: str, threads: int, bad: dict[int, str]
) -> Iterator[list[Packed]]:
    """Yield the images in order, in blocks; what cannot be read is noted in `bad` and left out."""

    def read(i: int) -> Packed | None:
        try:
            image = fit(source.read(i), size, resize)
        except UNREADABLE as error:
            bad[i] = f"{type(error).__name__}: {error}"
            return None
        return Packed(image, as_rgb(area_average(image[None], small))[0], digest_image(image))

    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(source.samples), BLOCK):
            block = pool.map(read, range(start, min(start + BLOCK, len(source.samples))))
            read_ones = [packed for packed in block if packed is not None]
            if read_ones:
                yield read_ones


def fit(image: np.ndarray, size: int, resize: str) -> np.ndarray:
    """Bring uint8 (H, W, C) to (size, size, C): `squash` as the paper's code, or centre `crop`, or black `pad`."""
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
    """Write the list of unreadable images; stop when there are more than the config allows."""
    if not bad:
        (folder / "bad_images.txt").unlink(missing_ok=True)  # of an earlier attempt
        return
    lines = [f"{source.samples['sample_id'].iloc[i]}\t{bad[i]}" for i in sorted(bad)]
    write_text("\n".join(lines) + "\n", folder / "bad_images.txt")
    if len(bad) > most:
        raise InputError(
            f"{len(bad)} images could not be read, {most} are allowed (max_bad_images); the first is {lines[0]}. "
            f"All are listed in {folder / 'bad_images.txt'}: mend them, or raise max_bad_images to leave them out"
        )


def report_duplicates(samples: pd.DataFrame, contents: bytes, merge: bool, folder: Path) -> dict:
    """Count and list the images with equal pixels; with `merge`, put their groups together in `samples`."""
    duplicates = find_duplicates(samples, contents)
    counts = count_duplicates(duplicates)
    if len(duplicates):
        write_csv(duplicates, folder / "duplicates.csv")
    else:
        (folder / "duplicates.csv").unlink(missing_ok=True)  # of an earlier attempt
    before = samples["group"].nunique()
    if merge:
        samples["group"] = merge_groups(samples["group"], duplicates)
    print(
        f"exact duplicates: {counts['images']} images, {counts['across_groups']} with a copy in another group, "
        f"{counts['with_conflicting_labels']} with a copy of another label"
        + (f"; groups merged from {before} to {samples['group'].nunique()}" if merge else "")
    )
    if counts["across_groups"] and not merge:
        print("these are leakage between folds; set `deduplicate: true` to put their groups together")
    return counts | {"groups_merged": int(before - samples["group"].nunique())}


def check_classes(name: str, entry: dict, classes: list[str], samples: pd.DataFrame) -> None:
    """Refuse a class without images, fewer than two classes, and two of which none is named the positive one."""
    present = set(samples["label_name"].unique())
    empty = [label for label in classes if label not in present]
    if empty:
        raise InputError(
            f"datasets.{name}: no image of class(es) {empty}; remove them from `classes`, or set `rare_classes: drop`"
        )
    if len(classes) < 2:
        raise InputError(f"datasets.{name}: only one class, {classes}; a classifier needs two")
    positive = entry.get("positive")
    if len(classes) == 2 and positive not in classes:
        raise InputError(f"datasets.{name}.positive is {positive!r}; name the positive one of {classes}")


def check_labels(name: str, entry: dict, source: Source, n_splits: int) -> None:
    """Refuse the classes that this step or the folds would refuse, as far as `rare_classes` asks for it."""
    if entry["rare_classes"] != "drop":  # what is left then is known when the rare ones are left out
        check_classes(name, entry, source.classes, source.samples)
    if entry["rare_classes"] == "error":
        check_rare_classes(source.samples, n_splits, "error", f"datasets.{name}")


def make_card(
    name: str, entry: dict, source: Source, samples: pd.DataFrame, image_size: int, classifier_size: int
) -> dict:
    """Describe the packed dataset: classes in order, counts, imbalance, whether it is synthetic."""
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
