"""What jobs ask a cluster for, worked out by hand from rows, pixels, epochs and budgets, and before an array exists."""

import re

import numpy as np
import pytest
import torch

from learnability.storage import batches
from learnability.study.array_sizes import ArraySize
from learnability.study.configuration import ROOT
from learnability.study.recipes import resolve_recipe
from learnability.workflow.job_requests import (
    BASE,
    array_read,
    images_of,
    megabytes_of_features,
    megabytes_of_run,
    minutes_of_job,
)
from tests.published import published
from tests.recipes import recipe_of

RECIPE = recipe_of(epochs=60, search={"space": {}, "trials": 20, "workers": 4, "scope": "fold"})
IMAGES = ArraySize(100_000, 3, 256)
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
ENTRY = {"class": "AutoencoderKL", "channels": 4, "factor": 8}


def minutes_of_training(array=IMAGES, rule="train_classifier", **changed):
    return minutes_of_job(rule, {"recipe": RECIPE.with_values(changed), "image_size": 512, "n_splits": 5}, array)


def cell_of(space, autoencoder):
    return {"dataset": "mine", "space": space, "autoencoder": autoencoder}


def test_a_training_takes_the_time_of_all_its_samples():
    assert minutes_of_training() == 30 + 250  # 6 million samples, 400 a second
    assert minutes_of_training(ArraySize(100_000, 32, 64)) == 30 + 15  # a sixteenth of the pixels
    assert minutes_of_training(epochs=6) == 30 + 25


def test_a_budget_is_the_time_whatever_the_epochs():
    assert minutes_of_training(epochs=10**5, budget_seconds=86_400) == 30 + 1728


def test_what_is_predicted_after_a_budget_is_asked_for_too():
    imagenet = ArraySize(1_281_167, 3, 256)  # 256,233 images in a fold; two folds at three times 400 a second
    assert minutes_of_training(imagenet, budget_seconds=86_400) == 30 + 1728 + 7
    on_the_fly = {"budget_seconds": 86_400, "reconstructions": "on_the_fly"}
    assert minutes_of_training(imagenet, **on_the_fly) == 30 + 1728 + 7  # they are not decoded


def test_decoding_on_the_fly_takes_half_a_round_trip_per_sample():
    assert minutes_of_training(reconstructions="on_the_fly") == 30 + 250 + 12_500


def test_behind_blocks_of_a_decoder_the_network_sees_up_to_images_whatever_the_latent_is():
    params = {"recipe": recipe_of(epochs=60, decoder_blocks="up_1"), "image_size": 512, "classifier_size": 256}
    latents = ArraySize(100_000, 32, 64)
    minutes = 30 + 250 + 12_500 + 208  # the last are the moments of the training rows, before the first epoch
    assert minutes_of_job("train_with_decoder", params | {"n_splits": 5}, latents) == minutes


def test_a_budget_behind_blocks_of_a_decoder_leaves_time_for_moments_and_predictions():
    recipe = recipe_of(decoder_blocks="up_1", budget_seconds=6000)
    params = {"recipe": recipe, "image_size": 512, "classifier_size": 256, "n_splits": 5}
    latents = ArraySize(100_000, 32, 64)  # a pass of all through the decoder takes 208 minutes
    assert minutes_of_job("train_with_decoder", params, latents) == 30 + 120 + 291


def test_memory_behind_blocks_of_a_decoder_holds_a_batch_of_features_and_its_copy():
    behind = recipe_of(decoder_blocks="up_1")
    assert megabytes_of_features(CONFIG, behind) == 2 * 32 * 134.217728 // 1  # 512 x 256 x 256 in float32 each
    assert megabytes_of_features(CONFIG | {"classifier_size": 32}, behind) == 134
    assert megabytes_of_features(CONFIG, RECIPE) == 0


def test_the_page_on_slurm_gives_the_requests_of_the_published_study():
    page = " ".join((ROOT / "docs/slurm.md").read_text("utf-8").split())
    rules = (ROOT / "workflow/rules/classifiers.smk").read_text("utf-8").split("rule compute_teacher_logits")[1]
    logits, config = int(re.search(r"runtime=scaled\((\d+)\)", rules)[1]), published()

    def hours(name: str, dataset: str, minutes: int = 0, folds: int = 5) -> str:
        params = {"recipe": resolve_recipe(config, name), "image_size": 512, "classifier_size": 256, "n_splits": 5}
        images = ArraySize(images_of({"format": dataset}), 3, 256)
        return f"{folds * (minutes + minutes_of_job('train_classifier', params, images)) / 60:.0f}"

    alone, teaching = hours("image", "mimic_cxr_lt"), hours("image", "mimic_cxr_lt", logits)
    assert f"MIMIC-CXR-LT ask for {alone} hours together, and for {teaching} with the logits of a teacher" in page
    assert f"24 hours and asks for {hours('timed_latent', 'imagenet', folds=1)}:" in page
    features = megabytes_of_features(config, recipe_of(decoder_blocks="up_1")) / 1000
    assert f"Behind blocks of a decoder {features:.0f} GB more, at 256 pixels" in page


def test_a_worker_of_a_search_takes_its_share_of_the_trials():
    assert minutes_of_training(rule="search_recipe") == 30 + 5 * 250
    assert minutes_of_training(rule="search_recipe", budget_seconds=600) == 30 + 62  # 33 seconds after each


def test_encoding_and_fine_tuning_take_the_time_of_their_images():
    assert minutes_of_job("encode_dataset", {"entry": ENTRY}, ArraySize(12_000, 3, 512)) == 30 + 50
    assert minutes_of_job("encode_dataset", {"entry": ENTRY}, ArraySize(12_000, 3, 256)) == 30 + 12
    assert minutes_of_job("diagnose_encoding", {"entry": ENTRY}, ArraySize(12_000, 3, 512)) == 30 + 50
    tuned = ENTRY | {"finetune": {"steps": 20_000, "batch_size": 2, "perceptual": "lpips"}}
    assert minutes_of_job("finetune_autoencoder", {"entry": tuned}, ArraySize(5, 3, 512)) == 30 + 333


@pytest.mark.parametrize(
    ("entry", "minutes"),
    [({"format": "table"}, 83), ({"format": "imagenet"}, 1067)],  # 100,000 and 1,281,167 images, 20 a second
)
def test_packing_takes_the_time_of_the_published_number_of_images(entry, minutes):
    array = ArraySize(images_of(entry), 3, 512)
    assert minutes_of_job("prepare_dataset", {"entry": entry}, array) == 30 + minutes


def test_images_are_counted_where_they_are_packed_and_else_as_published(tmp_path):
    assert images_of({"format": "mimic_cxr_lt"}, tmp_path / "none.npy") == 111_328
    assert images_of({"format": "isic2019", "subset": {"images": 500}}) == 500
    np.save(tmp_path / "latents.npy", np.zeros((7, 4, 8, 8), np.float16))
    assert images_of({"format": "mimic_cxr_lt"}, tmp_path / "latents.npy") == 7


def test_memory_is_that_of_the_libraries_and_of_the_array_in_its_share():
    assert megabytes_of_run(CONFIG, cell_of("image", "original"), 100_000) == 6000 + 32_768  # 19,660.8 are .6 of it
    assert megabytes_of_run(CONFIG, cell_of("latent", "flux2"), 100_000) == 6000 + 43_690  # two bytes each
    assert megabytes_of_run(CONFIG, cell_of("latent", "lossless"), 100_000) == 126_000  # a byte each
    assert megabytes_of_run(CONFIG, cell_of("image", "original"), 2_000_000) == 126_000


@pytest.mark.parametrize("images", [3_000, 100_000])
def test_a_job_holds_the_array_for_which_it_asked_memory(tmp_path, monkeypatch, images):
    """Both use the same share; of the rest the libraries take up to BASE."""
    asked = megabytes_of_run(CONFIG, cell_of("latent", "flux2"), images)
    array = np.memmap(tmp_path / "latents.npy", np.float16, "w+", shape=(images, 32, 64, 64))  # a file with a hole
    monkeypatch.setattr(batches, "free_memory", lambda device: (asked - BASE) * 10**6 + 10**6)
    monkeypatch.setattr(batches, "read_packed", lambda given: np.zeros(1))
    assert isinstance(batches.Rows(array, torch.device("cpu"), channels_last=False).array, np.ndarray)
    assert len(batches.Rows(array, torch.device("cpu"), channels_last=False).array) == 1
    monkeypatch.setattr(batches, "free_memory", lambda device: (asked - BASE) * 10**6 * 0.99)
    assert len(batches.Rows(array, torch.device("cpu"), channels_last=False).array) == images


@pytest.mark.parametrize(
    ("space", "autoencoder", "expected"),
    [
        ("image", "original", IMAGES),
        ("reconstruction", "flux2", IMAGES),
        ("latent", "flux2", ArraySize(100_000, 32, 64)),
        ("latent", "tuned", ArraySize(100_000, 32, 64)),
    ],
)
def test_an_array_that_is_not_there_counts_as_a_hundred_thousand_images(tmp_path, space, autoencoder, expected):
    assert array_read(CONFIG, cell_of(space, autoencoder), tmp_path / "none.npy") == expected
