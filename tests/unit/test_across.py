"""A trained classifier on the test rows of a space; in its own it predicts what the training wrote, to the bit."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from learnability.classifiers.saved import load_classifier
from learnability.storage.arrays import PackedWriter
from learnability.storage.contracts import read_json, read_predictions, write_json
from learnability.training.across import score_across, scores_on
from learnability.training.evaluation import predict
from learnability.training.fold_data import load_fold
from tests.lights import CLASSES, inputs, train, write_study
from tests.recipes import IMAGE

pytestmark = pytest.mark.usefixtures("one_thread")
SCORES = ("balanced_accuracy", "auc", "mcc")


@pytest.fixture
def study(tmp_path):
    """The study, whose reconstructions are its images with inverted brightness, and a classifier of each."""
    folder = write_study(tmp_path)
    with PackedWriter(folder / "reconstructions.npy", (16, 16, 3), "uint8") as writer:
        writer.write(255 - np.load(folder / "images_small.npy"))
    write_json(
        read_json(folder / "autoencoder.json") | {"digest_reconstructions": writer.digest}, folder / "autoencoder.json"
    )
    return folder


def given(study, space: str) -> dict:
    found = inputs(study, IMAGE)
    if space == "reconstruction":
        files = {"array": study / "reconstructions.npy", "autoencoder_card": study / "autoencoder.json"}
        found["inputs"] = replace(found["inputs"], **files)
        found["cell"] |= {"space": space, "autoencoder": "grey"}
    return found


def test_on_its_own_space_a_classifier_predicts_what_its_training_wrote(study):
    train(study, "image", IMAGE)
    data, model = load_fold(**given(study, "image"), keep=False), load_classifier(study / "image")
    written = read_predictions(study / "image/predictions.parquet", CLASSES)
    written = written[written["split"] == "test"]
    assert np.array_equal(predict(model, data, "test"), written[CLASSES].to_numpy())
    found = given(study, "image")
    scores = scores_on(study / "image", found["cell"], 5, found["inputs"], torch.device("cpu"))
    measured = read_json(study / "image/metrics.json")
    assert scores == {name: measured[name] for name in SCORES}


def test_both_classifiers_are_scored_on_the_images_of_the_other(study):
    own, other = given(study, "image"), given(study, "reconstruction")
    train(study, "image", IMAGE)
    train(
        study, "reconstruction", IMAGE, array=other["inputs"].array, autoencoder_card=other["inputs"].autoencoder_card
    )
    table = score_across(
        other["cell"], 5, {space: study / space for space in ("image", "reconstruction")},
        {"image": own["inputs"], "reconstruction": other["inputs"]}, torch.device("cpu"),
    )  # fmt: skip
    assert table[["trained_on", "tested_on"]].to_numpy().tolist() == [
        ["image", "reconstruction"], ["reconstruction", "image"],
    ]  # fmt: skip
    assert list(table) == ["dataset", "autoencoder", "recipe", "fold", "trained_on", "tested_on", *SCORES]
    upside_down = table["balanced_accuracy"].to_numpy()
    assert read_json(study / "image/metrics.json")["balanced_accuracy"] > upside_down.max() + 0.2  # bright is dark
