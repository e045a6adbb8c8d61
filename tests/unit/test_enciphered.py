"""The positive control: nothing of an image is lost, and nothing of it can be learned."""

import hashlib
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from learnability.autoencoders import encode
from learnability.autoencoders.encode import encode_dataset
from learnability.autoencoders.interface import load_autoencoder
from learnability.autoencoders.round_trip import round_trip
from learnability.datasets.formats.phantom import open_source
from learnability.errors import InputError
from learnability.storage.arrays import open_packed
from learnability.study.configuration import fill_in, read_config
from tests.autoencoders import as_input, write_dataset

CPU = torch.device("cpu")
CLASSES = ["nevus", "melanoma", "keratosis", "vascular"]
LEARNERS = {"linear": LogisticRegression(max_iter=300), "mlp": MLPClassifier((64,), random_state=0)}


def entry(factor: int = 4, **options) -> dict:
    return {
        "class": "enciphered",
        "factor": factor,
        "channels": 3 * factor**2 + 1,
        "role": "control",
        "options": options,
    }


def unshuffled(x: torch.Tensor, factor: int = 4) -> np.ndarray:
    """The bytes of the lossless control."""
    plain = load_autoencoder({"class": "pixel_unshuffle", "factor": factor}, CPU)
    return plain.encode(x).numpy().astype(np.uint8)


def phantoms(groups: int = 80) -> tuple[torch.Tensor, np.ndarray]:
    """One image of 32 pixels of each group, the same number in four classes: x in [-1, 1], and labels."""
    counts = dict.fromkeys(CLASSES, groups)
    source = open_source({"modality": "skin", "groups": counts, "images_per_group": [1, 1], "size": 32, "seed": 0})
    images = np.stack([source.read(i) for i in range(len(source.samples))])
    return as_input(images), source.samples["label_name"].to_numpy()


def score(learner: str, z: np.ndarray, label: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple:
    """Accuracy on `test`, which has the same number of images in each class, with its 95 % interval."""
    rows = z.reshape(len(z), -1).astype(np.float32)
    with warnings.catch_warnings(action="ignore"):  # a network that has not converged is a learner too
        model = make_pipeline(StandardScaler(), LEARNERS[learner]).fit(rows[train], label[train])
    right = int((model.predict(rows[test]) == label[test]).sum())
    interval = binomtest(right, len(test)).proportion_ci()
    return right / len(test), interval.low, interval.high


@pytest.mark.parametrize(("factor", "grey"), [(8, False), (4, True)])
def test_an_image_comes_back_byte_for_byte(factor, grey, tmp_path, monkeypatch):
    monkeypatch.setattr(encode, "PIXELS", 2 * 64 * 64)  # batches of 2, 2 and 1
    dataset = write_dataset(tmp_path / "dataset", channels=1 if grey else 3)
    encode_dataset("control", entry(factor), dataset, tmp_path / "encoding", CPU)
    latents = open_packed(tmp_path / "encoding" / "latents.npy")
    assert latents.dtype == np.uint8
    assert latents.shape == (5, 3 * factor**2 + 1, 64 // factor, 64 // factor)
    reconstructions = (tmp_path / "encoding" / "reconstructions.npy").read_bytes()
    assert reconstructions == (dataset / "images_small.npy").read_bytes()
    fidelity = pd.read_parquet(tmp_path / "encoding" / "fidelity.parquet")
    assert (fidelity["psnr"] == np.inf).all()


def test_the_bytes_are_those_of_the_definition():
    x = as_input(np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8))
    z = load_autoencoder(entry(), CPU).encode(x).numpy()
    for b, encoded in zip(unshuffled(x), z, strict=True):
        key = hashlib.sha256(b.tobytes()).digest()[:8]
        words = np.random.Philox(key=int.from_bytes(key, "big")).random_raw(b.size // 8)
        stream = np.frombuffer(b"".join(int(word).to_bytes(8, "little") for word in words), np.uint8)
        expected = (b.astype(int).ravel() + stream) % 256
        np.testing.assert_array_equal(encoded[:-1].ravel(), expected)
        assert encoded[-1].tobytes() == key * 8


def test_an_image_has_the_same_bytes_alone_in_any_batch_and_in_any_order():
    x = as_input(np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8))
    control = load_autoencoder(entry(), CPU)
    z = control.encode(x)
    alone = torch.cat([control.encode(row[None]) for row in x])
    order = torch.tensor([4, 0, 5, 2, 1, 3])
    assert torch.equal(z, alone)
    assert torch.equal(control.encode(x[order]), z[order])
    assert torch.equal(control.decode(z[order].float()), x[order])


def test_equal_images_have_equal_latents_and_a_changed_grey_level_changes_every_byte_it_can():
    x = as_input(np.full((2, 32, 32, 3), 100, dtype=np.uint8))
    control = load_autoencoder(entry(), CPU)
    assert torch.equal(*control.encode(x).split(1))
    x[1, 0, 0, 0] += 2 / 255
    first, other = control.encode(x)
    assert (first != other).float().mean() > 0.98  # one in 256 independent bytes is equal


@pytest.mark.parametrize("share", [0, 0.3, 1])
def test_the_share_is_a_dose_that_the_key_measures_out(share):
    x, _ = phantoms()
    control = load_autoencoder(entry(share=share), CPU)
    plain, z = unshuffled(x), control.encode(x)
    enciphered = (z.numpy()[:, :-1] != plain).any((1, 2, 3))
    interval = binomtest(int(enciphered.sum()), len(x)).proportion_ci()
    assert interval.low <= share <= interval.high
    keys = [int.from_bytes(hashlib.sha256(b.tobytes()).digest()[:8], "big") for b in plain]
    assert enciphered.tolist() == [key < share * 2**64 for key in keys]
    assert torch.equal(control.decode(z), x)


@pytest.mark.parametrize("learner", list(LEARNERS))
def test_no_learner_reads_it_and_the_same_learner_reads_the_pixels(learner):
    x, label = phantoms()
    train, test = np.arange(0, len(x), 2), np.arange(1, len(x), 2)
    _, low, high = score(learner, load_autoencoder(entry(), CPU).encode(x).numpy(), label, train, test)
    assert low <= 1 / 4 <= high
    assert score(learner, unshuffled(x), label, train, test)[1] > 1 / 2


@pytest.mark.parametrize("learner", list(LEARNERS))
def test_images_that_are_repeated_across_the_split_show_as_a_score_above_chance(learner):
    x, label = phantoms()
    train, test = np.arange(0, len(x), 2), np.arange(1, len(x), 2)
    x[test[::2]] = x[train[::2]]  # every second test image was trained on, with the label that it has
    z = load_autoencoder(entry(), CPU).encode(x).numpy()
    assert score(learner, z, label, train, test)[1] > 1 / 4


def test_a_lesser_dose_leaves_a_lesser_gap():
    x, label = phantoms()
    train, test = np.arange(0, len(x), 2), np.arange(1, len(x), 2)
    doses = [load_autoencoder(entry(share=share), CPU).encode(x).numpy() for share in (0, 0.5, 1)]
    none, half, whole = (score("linear", z, label, train, test)[0] for z in doses)
    assert none - half > 0.1
    assert half - whole > 0.1


def test_a_round_trip_of_check_finds_nothing_wrong():
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    found = round_trip("control", load_autoencoder(entry(8), CPU), entry(8), images, CPU)
    assert (found["identical"], found["warnings"]) == (3, [])


def test_a_grid_without_room_for_the_key_is_refused():
    with pytest.raises(InputError, match="a latent of 2 x 2 positions has no room for the 8 bytes of a key; enlarge"):
        load_autoencoder(entry(8), CPU).encode(as_input(np.zeros((1, 16, 16, 3), np.uint8)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": 1.5}, r"autoencoders\.enciphered_8\.options\.share: 1\.5 is greater than the maximum of 1"),
        ({"share": True}, r"options\.share: True is true or false; expected a number"),
        ({"dose": 0.5}, r"options: no such key: 'dose'; known are share"),
    ],
)
def test_an_option_that_it_does_not_have_is_refused_by_its_key(options, message):
    config = read_config()
    config["autoencoders"]["enciphered_8"]["options"] = options
    with pytest.raises(InputError, match=message):
        fill_in(config)
