"""What jobs ask a cluster for: by hand from rows, pixels, epochs and budgets, and before the array is there."""

import numpy as np
import pytest

from learnability.workflow.job_sizes import (
    Packed,
    array_of_space,
    images_of,
    megabytes_of_run,
    minutes_of_encoding,
    minutes_of_finetuning,
    minutes_of_packing,
    minutes_of_search,
    minutes_of_training,
    packed,
)
from tests.recipes import recipe_of

RECIPE = recipe_of(epochs=60, search={"space": {}, "trials": 20, "workers": 3, "scope": "fold"})
IMAGES = Packed(rows=100_000, pixels=256**2, megabytes=19_660.8)
CONFIG = {
    "image_size": 512,
    "classifier_size": 256,
    "datasets": {"mine": {"format": "table"}},
    "autoencoders": {
        "flux2": {"class": "AutoencoderKLFlux2", "channels": 32, "factor": 8},
        "tuned": {"base": "flux2", "finetune": {}},
        "lossless": {"class": "pixel_unshuffle", "channels": 192, "factor": 8},
    },
}


def test_a_training_takes_the_time_of_all_its_samples():
    assert minutes_of_training(RECIPE, IMAGES) == 30 + 250  # 6 million samples, 400 a second
    assert minutes_of_training(RECIPE, IMAGES._replace(pixels=64**2)) == 30 + 15  # a sixteenth of the pixels
    assert minutes_of_training(RECIPE.with_values({"epochs": 6}), IMAGES) == 30 + 25


def test_a_budget_is_the_time_whatever_the_epochs():
    assert minutes_of_training(RECIPE.with_values({"epochs": 10**5, "budget_seconds": 86_400}), IMAGES) == 30 + 1728


def test_decoding_on_the_fly_takes_half_a_round_trip_per_sample():
    assert minutes_of_training(RECIPE.with_values({"reconstructions": "on_the_fly"}), IMAGES) == 30 + 250 + 12_500


def test_a_worker_of_a_search_takes_its_share_of_the_trials():
    assert minutes_of_search(RECIPE, IMAGES) == 30 + 7 * 250


def test_encoding_and_fine_tuning_take_the_time_of_their_images():
    assert minutes_of_encoding(Packed(12_000, 512**2, 0)) == 30 + 50
    assert minutes_of_encoding(Packed(12_000, 256**2, 0)) == 30 + 12
    assert minutes_of_finetuning({"steps": 20_000, "batch_size": 2}, 512) == 30 + 333


def test_packing_takes_the_time_of_the_published_number_of_images():
    assert minutes_of_packing(images_of({"format": "table"})) == 30 + 83  # 100,000, 20 a second
    assert minutes_of_packing(images_of({"format": "imagenet"})) == 30 + 1067  # 1,281,167
    assert images_of({"format": "mimic_cxr_lt"}) == 111_328
    assert images_of({"format": "isic2019", "subset": {"images": 500}}) == 500


def test_memory_is_that_of_the_array_and_of_the_libraries_up_to_what_a_gpu_holds():
    assert megabytes_of_run(IMAGES) == 6000 + 19_660
    assert megabytes_of_run(IMAGES._replace(megabytes=330_000.0)) == 126_000


@pytest.mark.parametrize(("space", "autoencoder"), [("image", "original"), ("reconstruction", "flux2")])
def test_an_array_that_is_not_there_counts_as_a_hundred_thousand_images(tmp_path, space, autoencoder):
    assert array_of_space(CONFIG, "mine", space, autoencoder, tmp_path / "none.npy") == IMAGES


@pytest.mark.parametrize("autoencoder", ["flux2", "tuned"])
def test_latents_that_are_not_there_are_on_the_grid_of_their_autoencoder(tmp_path, autoencoder):
    expected = Packed(100_000, 64**2, 100_000 * 32 * 64 * 64 * 2 / 1e6)
    assert array_of_space(CONFIG, "mine", "latent", autoencoder, tmp_path / "none.npy") == expected


def test_latents_of_grey_levels_take_a_byte_each(tmp_path):
    expected = Packed(100_000, 64**2, 100_000 * 192 * 64 * 64 / 1e6)
    assert array_of_space(CONFIG, "mine", "latent", "lossless", tmp_path / "none.npy") == expected


def test_an_array_that_is_there_counts_as_it_is(tmp_path):
    np.save(tmp_path / "latents.npy", np.zeros((7, 4, 8, 8), np.float16))
    assert packed(tmp_path / "latents.npy", 8, 4 * 8 * 8 * 2, 5) == Packed(7, 64, 7 * 256 * 2 / 1e6)
