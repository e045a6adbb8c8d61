"""What a job asks a cluster for, minutes and megabytes: from its recipe, and from the packed array that it reads.

The rates are assumptions about a slow data-centre GPU, not measurements: a limit that is too long costs queue time,
one that is too short a second attempt, which gets twice as much and goes on where the first one was.
"""

from pathlib import Path
from typing import NamedTuple

from ..datasets.sizes import published_size
from ..storage.arrays import open_packed
from ..study.array_sizes import row_bytes, row_shape
from ..study.recipe import Recipe

TRAINED_PER_SECOND = 400  # samples of 256 x 256 pixels, forward and backward
PACKED_PER_SECOND = 20  # images read from a busy file system, decoded, brought to size and written
ENCODED_PER_SECOND = 4  # images of 512 x 512 pixels, through encoder and decoder
TUNED_PER_SECOND = 2  # of those, forward and backward, with what the losses need
START = 30  # minutes to import, to load, to evaluate and to write, on a busy file system
BASE = 6000  # megabytes of libraries, CUDA's context and Snakemake itself
LARGEST = 120_000  # megabytes of an array that a GPU holds; a larger one is read batch by batch
UNKNOWN = 100_000  # images of a dataset that is not packed yet and has no published number


class Packed(NamedTuple):
    """A packed array: its rows, the pixels of each, and 1e6 bytes in all."""

    rows: int
    pixels: int
    megabytes: float


def images_of(entry: dict) -> int:
    """Images of a dataset before it is packed: the published number, or UNKNOWN."""
    images, _ = published_size(entry) or (UNKNOWN, None)
    return images


def packed(path: str | Path, side: int, row_bytes: int, images: int) -> Packed:
    """The size of an array of rows of `side` x `side`; one that is not there yet counts as `images` rows."""
    if Path(path).exists():
        array = open_packed(path)
        return Packed(len(array), side**2, array.nbytes / 1e6)
    return Packed(images, side**2, images * row_bytes / 1e6)


def array_of_space(config: dict, dataset: str, space: str, autoencoder: str, path: str | Path) -> Packed:
    """The array that a classifier reads: latents on the grid of their autoencoder, or images."""
    side = row_shape(config, space, autoencoder)[1]
    return packed(path, side, row_bytes(config, space, autoencoder), images_of(config["datasets"][dataset]))


def megabytes_of_run(array: Packed) -> int:
    """Memory of a job that may hold the whole array: on its way to the GPU it passes through the host's."""
    return BASE + int(min(array.megabytes, LARGEST))


def minutes_of_packing(images: int) -> int:
    """Minutes to read and pack the images of a dataset."""
    return START + int(images / PACKED_PER_SECOND / 60)


def minutes_of_training(recipe: Recipe, array: Packed, times: int = 1) -> int:
    """Minutes of `times` trainings one after another: all epochs, or the budget where there is one."""
    if recipe.budget_seconds:
        return START + int(times * 1.2 * recipe.budget_seconds / 60)
    seconds = array.rows * recipe.epochs * array.pixels / 256**2 / TRAINED_PER_SECOND
    if recipe.reconstructions == "on_the_fly":  # decoded in every epoch: half a round trip
        seconds += array.rows * recipe.epochs / 2 / ENCODED_PER_SECOND
    return START + int(times * seconds / 60)


def minutes_of_search(recipe: Recipe, array: Packed) -> int:
    """Minutes of a worker's share of the trials."""
    return minutes_of_training(recipe, array, -(-recipe.search.trials // recipe.search.workers))


def minutes_of_encoding(images: Packed) -> int:
    """Minutes of one pass through encoder and decoder."""
    return START + int(images.rows * images.pixels / 512**2 / ENCODED_PER_SECOND / 60)


def minutes_of_finetuning(settings: dict, size: int) -> int:
    """Minutes of all steps of a fine-tuning on images of `size` pixels a side."""
    images = settings["steps"] * settings["batch_size"]
    return START + int(images * size**2 / 512**2 / TUNED_PER_SECOND / 60)
