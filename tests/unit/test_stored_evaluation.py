"""A training that decodes its images anew validates and tests on the stored ones, and predicts nothing twice."""

import numpy as np
import pytest
import torch

from learnability.autoencoders.decoding import image_decoder
from learnability.errors import InputError
from learnability.storage.arrays import PackedWriter
from learnability.storage.contracts import read_json, write_json
from learnability.training import engine as training
from learnability.training import evaluation
from tests.lights import TRAIN, interrupt, train, write_study
from tests.recipes import IMAGE, LATENT
from tests.unit.test_efficiency import Grey

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def study(tmp_path):
    """The study with the reconstructions of its latents."""
    folder = write_study(tmp_path)
    ids = [f"image{i:03d}" for i in range(100)]
    latents = torch.from_numpy(np.load(folder / "latents.npy"))
    images = image_decoder("grey", Grey(), 16)(latents, ids).permute(0, 2, 3, 1).numpy()
    with PackedWriter(folder / "reconstructions.npy", images.shape[1:], "uint8") as writer:
        writer.write(images)
    card = read_json(folder / "autoencoder.json") | {"digest_reconstructions": writer.digest}
    write_json(card, folder / "autoencoder.json")
    return folder


def on_the_fly(study, decode) -> dict:
    given = {"array": study / "latents.npy", "stored": study / "reconstructions.npy", "decode": decode}
    return given | {"autoencoder_card": study / "autoencoder.json"}


def test_only_training_rows_are_decoded_and_the_run_is_that_of_the_stored_images(study):
    asked, decode = set(), image_decoder("grey", Grey(), 16)

    def noted(z, ids):
        asked.update(ids)
        return decode(z, ids)

    decoded = train(study, "decoded", IMAGE, **on_the_fly(study, noted))
    assert asked == {f"image{i:03d}" for i in TRAIN}
    cached = {"array": study / "reconstructions.npy", "autoencoder_card": study / "autoencoder.json"}
    assert decoded == train(study, "cached", IMAGE, **cached)


def test_stored_images_that_are_damaged_or_too_few_are_refused(study):
    path, given = study / "reconstructions.npy", on_the_fly(study, image_decoder("grey", Grey(), 16))
    whole = np.load(path)
    np.save(path, 255 - whole)
    with pytest.raises(InputError, match=r"reconstructions\.npy: damaged, not what digest_reconstructions"):
        train(study, "run", IMAGE, **given)
    card = read_json(study / "autoencoder.json")
    del card["digest_reconstructions"]  # what it does not name is not compared
    write_json(card, study / "autoencoder.json")
    np.save(path, whole[:99])
    with pytest.raises(InputError, match=r"reconstructions\.npy: 99 rows for 100 samples"):
        train(study, "run", IMAGE, **given)


def test_validation_rows_are_predicted_again_only_where_another_process_found_the_best_epoch(study, monkeypatch):
    splits, whole, scores = [], evaluation.predict, iter([0.9, 0.8, 0.9, 0.8])
    monkeypatch.setattr(evaluation, "predict", lambda *given: splits.append(given[2]) or whole(*given))
    monkeypatch.setattr(training, "balanced_accuracy", lambda *_: next(scores))
    recipe = LATENT | {"epochs": 2}
    once = train(study, "once", recipe)
    assert splits == ["test"]
    splits.clear()
    interrupt(study, "twice", recipe, epoch=2)
    assert train(study, "twice", recipe) == once
    assert splits == ["validation", "test"]
