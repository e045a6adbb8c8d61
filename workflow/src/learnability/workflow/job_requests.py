"""The minutes and megabytes that a job asks a cluster for, from its work and from the packed array that it reads.

The rates are assumptions about a slow data-centre GPU, not measurements. A limit that is too long costs time in the
queue. One that is too short costs a second attempt, which gets twice as much and continues where the first one ended.
"""

import functools
import sys
from pathlib import Path

from ..datasets.published_sizes import published_size
from ..errors import InputError
from ..storage.arrays import open_packed
from ..storage.memory_limits import SHARE
from ..study.array_sizes import ArraySize, row_bytes, row_shape
from ..study.recipe import Recipe
from .job_work import AFTER_BUDGET, DIAGNOSING_RULES, ENCODING_RULES, describe_work, passes

TRAINED = 400 * 256**2 / 1e6  # megapixels a second: samples of 256 x 256, forward and backward
ENCODED = 4 * 512**2 / 1e6  # images of 512 x 512, through encoder and decoder
TUNED = 2 * 512**2 / 1e6  # such images, forward and backward, with what the losses need
PACKED = 20  # images a second: read from a busy file system, decoded, resized and written
START = 30  # minutes to import, load, evaluate and write, on a busy file system
BASE = 6000  # megabytes for libraries, CUDA's context and Snakemake itself
MOST = 120_000  # megabytes for rows; an array that does not fit is kept on the GPU, or read batch by batch
FEATURES = 2 * 32 * 512 * 4  # bytes a pixel of a batch of a decoder's features: 32 rows of 512 channels, and a copy
UNKNOWN = 100_000  # images taken for a dataset that is not packed yet and has no published number


def images_of(entry: dict, packed: str | Path = "") -> int:
    """Number of images in a dataset: in its packed array if that is readable, else the published one, else UNKNOWN."""
    if packed and Path(packed).exists():
        try:
            return len(open_packed(packed))
        except InputError as error:  # only the job that reads it must end with this message; the others run
            say_once(f"warning: {error}")
    images, _ = published_size(entry) or (UNKNOWN, None)
    return images


@functools.cache  # many jobs read the same array
def say_once(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def array_read(config: dict, cell: dict, path: str | Path) -> ArraySize:
    """Size of the array that a classifier reads: latents on the grid of their autoencoder, or images."""
    channels, side, _ = row_shape(config, cell["space"], cell["autoencoder"])
    return ArraySize(images_of(config["datasets"][cell["dataset"]], path), channels, side)


def megabytes_of_run(config: dict, cell: dict, images: int, copies: int = 0) -> int:
    """Megabytes with which a job can hold the whole array in the SHARE of them that is for rows, without a GPU.

    `copies` of each image are stored beside it.
    """
    stored = images * (1 + copies) * row_bytes(config, cell["space"], cell["autoencoder"])
    return BASE + int(min(stored / SHARE / 1e6, MOST))


def megabytes_of_features(config: dict, recipe: Recipe) -> int:
    """Memory of a batch behind blocks of a decoder, the largest that there is; 0 for recipes without."""
    return int(FEATURES * config["classifier_size"] ** 2 / 1e6) if recipe.decoder_blocks else 0


def minutes_of_job(rule: str, params: dict, array: ArraySize) -> int:
    """Minutes for a rule of workflow/job_work.py; `params` and `array` as `describe_work` takes them."""
    if rule == "prepare_dataset":
        return START + int(array.images / PACKED / 60)
    units = describe_work(rule, params, array).units
    if rule in (*ENCODING_RULES, *DIAGNOSING_RULES):  # both read every image; diagnosing passes some through again
        return START + int(units / ENCODED / 60)
    if rule == "finetune_autoencoder":
        return START + int(units / TUNED / 60)
    recipe = params["recipe"]
    if recipe.budget_seconds:  # for each training, whatever its epochs; a prediction is a third of a training step
        trainings, folds = passes(rule, params) / recipe.epochs, AFTER_BUDGET / params["n_splits"]
        seconds = 1.2 * recipe.budget_seconds + folds * array.megapixels / (3 * TRAINED)
        if recipe.decoder_blocks:  # the moments before the budget, and what is predicted after it
            seconds += (1 + folds) * decoding_seconds(params, array)
        return START + int(trainings * seconds / 60)
    seconds = units / TRAINED
    if recipe.decoder_blocks:  # their features are up to as large as images
        pixels = array.images * params["classifier_size"] ** 2 / 1e6
        seconds = passes(rule, params) * pixels / TRAINED + decoding_seconds(params, array)  # once for moments
    if recipe.runs_decoder:  # as often as it is asked for
        seconds += passes(rule, params) * decoding_seconds(params, array)
    return START + int(seconds / 60)


def decoding_seconds(params: dict, array: ArraySize) -> float:
    """Seconds to decode all images: half a round trip."""
    return array.images * params["image_size"] ** 2 / 1e6 / 2 / ENCODED
