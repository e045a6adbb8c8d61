"""An autoencoder that gives different results is refused; if it may be random, each image has its own seed."""

import signal

import numpy as np
import pytest
import torch

from learnability.autoencoders import encode, randomness
from learnability.autoencoders.decoding import decoder_of_run
from learnability.autoencoders.encode import encode_dataset
from learnability.autoencoders.randomness import check_repeats
from learnability.errors import InputError
from learnability.storage.arrays import PackedWriter, open_packed
from learnability.storage.batches import DecodedRows, Rows
from learnability.storage.contracts import read_json, write_json
from tests.autoencoders import save, write_dataset
from tests.stopping import TERMINATED, exit_code, in_child, signal_after

CPU = torch.device("cpu")
CLASSES = """
import random
import numpy as np
import torch
import torch.nn.functional as F

class Plain:
    def encode(self, x):
        return F.avg_pool2d(x, 4)
    def decode(self, z):
        return F.interpolate(z, scale_factor=4)

class Sampled(Plain):
    def __init__(self, spread=0.1):
        self.spread = spread
    def encode(self, x):
        z = super().encode(x)
        return z + self.spread * torch.randn_like(z)

class Decoder(Plain):
    def decode(self, z):
        x = super().decode(z)
        return x + 0.2 * torch.randn_like(x)

class Both(Sampled, Decoder):
    pass

class FromNumPy(Plain):
    def encode(self, x):
        return super().encode(x) + np.random.normal()

class FromPython(Plain):
    def decode(self, z):
        return super().decode(z) * random.uniform(0.5, 1)

class Dropout(Plain):
    def __init__(self):
        self.network = torch.nn.Dropout(0.2)
    def encode(self, x):
        return self.network(super().encode(x))

class BatchNorm(Plain):
    def __init__(self):
        self.network = torch.nn.BatchNorm2d(3)
    def encode(self, x):
        return self.network(super().encode(x))

class OfABatch(Plain):
    def encode(self, x):
        z = super().encode(x)
        torch.manual_seed(0)
        return z + 0.1 * torch.randn_like(z)

class OwnGenerator(Plain):
    def encode(self, x):
        return super().encode(x) + np.random.default_rng().normal()

class Counting(Plain):
    calls = 0
    def encode(self, x):
        self.calls += 1
        return super().encode(x) + self.calls

class Rounding(Plain):
    def encode(self, x):
        return super().encode(x) * (1 + 1e-6 * len(x))
    def decode(self, z):
        return super().decode(z) + 2e-6 * len(z)

class SlightlyOfABatch(Plain):
    def decode(self, z):
        return super().decode(z) + 1e-4 * len(z)

class Drawn(Plain):
    def __init__(self):
        self.weight = torch.randn(3, 3, 1, 1)
    def encode(self, x):
        return F.conv2d(super().encode(x), self.weight)
"""
RANDOM, BATCH = (
    "is random: the same images give something else",
    "gives an image something else alone than beside another",
)
UNSEEDED, BUILT = "gives something else the next time, from the same seed", "differs between two objects of the class"


@pytest.fixture
def dataset(tmp_path, monkeypatch, own_module):
    """Nine images, encoded in batches of two, in a folder with the classes."""
    own_module("drawing", CLASSES)
    monkeypatch.setattr(encode, "PIXELS", 2 * 64 * 64)
    return write_dataset(tmp_path / "dataset", number=9)


def entry_of(name: str, **more) -> dict:
    return {"role": "family", "class": f"drawing:{name}", "channels": 3, "factor": 4} | more


def encoded(entry: dict, dataset, folder) -> dict[str, bytes]:
    encode_dataset("mine", entry, dataset, folder, CPU)
    return {name: (folder / f"{name}.npy").read_bytes() for name in ("latents", "reconstructions")}


@pytest.mark.parametrize(
    ("name", "step", "message"),
    [
        ("Sampled", "encode", RANDOM),
        ("Decoder", "decode", RANDOM),
        ("FromNumPy", "encode", RANDOM),
        ("FromPython", "decode", RANDOM),
        ("Dropout", "encode", RANDOM),
        ("OwnGenerator", "encode", RANDOM),
        ("Counting", "encode", RANDOM),
        ("BatchNorm", "encode", BATCH),
        ("OfABatch", "encode", BATCH),
        ("Drawn", "encode", BUILT),
    ],
)
def test_what_does_not_repeat_is_refused_before_the_first_row(tmp_path, dataset, name, step, message):
    with pytest.raises(
        InputError, match=rf"autoencoder mine: {step} {message}.* write autoencoders\.mine\.stochastic: t"
    ):
        encode_dataset("mine", entry_of(name), dataset, tmp_path / "encoding", CPU)
    assert not (tmp_path / "encoding").exists()


def test_a_posterior_that_is_narrower_than_what_is_stored_is_refused_too(tmp_path, dataset):
    with pytest.raises(InputError, match=f"encode {RANDOM}"):
        encode_dataset("mine", entry_of("Sampled", options={"spread": 1e-6}), dataset, tmp_path / "encoding", CPU)


@pytest.mark.parametrize("name", ["OwnGenerator", "Counting"])
def test_what_no_seed_can_repeat_is_refused_whatever_the_entry_says(tmp_path, dataset, name):
    with pytest.raises(InputError, match=f"encode {UNSEEDED}.* let it draw from torch's"):
        encode_dataset("mine", entry_of(name, stochastic=True), dataset, tmp_path / "encoding", CPU)


@pytest.mark.parametrize("name", ["Both", "FromNumPy", "FromPython", "Dropout", "BatchNorm", "OfABatch", "Drawn"])
def test_a_stochastic_one_gives_an_image_the_same_alone_and_in_any_batch(tmp_path, dataset, monkeypatch, name):
    entry = entry_of(name, stochastic=True)
    by_two = encoded(entry, dataset, tmp_path / "two")
    torch.rand(7), np.random.rand(7)  # noqa: NPY002  another state of the generators
    for images in (1, 9):
        monkeypatch.setattr(encode, "PIXELS", images * 64 * 64)
        assert encoded(entry, dataset, tmp_path / str(images)) == by_two
    assert read_json(tmp_path / "two/autoencoder.json")["stochastic"] is True
    latents = open_packed(tmp_path / "two/latents.npy").astype(float)
    if name == "Both":  # each image has noise of its own
        encode_dataset("plain", entry_of("Plain"), dataset, tmp_path / "plain", CPU)
        noise = latents - open_packed(tmp_path / "plain/latents.npy")
        assert noise.std() == pytest.approx(0.1, rel=0.1)
        assert np.abs(np.corrcoef(noise.reshape(9, -1)) - np.eye(9)).max() < 0.2


def test_an_images_seed_is_that_of_its_sample_and_not_of_its_place(tmp_path, dataset):
    entry = entry_of("Both", stochastic=True)
    encoded(entry, dataset, tmp_path / "all")
    part = write_dataset(tmp_path / "part", number=9)
    import pandas as pd

    samples = pd.read_parquet(part / "samples.parquet").iloc[[7, 2]].reset_index(drop=True)
    samples.to_parquet(part / "samples.parquet")
    chosen = np.array(open_packed(dataset / "images.npy"))[[7, 2]]
    with PackedWriter(part / "images.npy", (64, 64, 3), "uint8") as writer:
        writer.write(chosen)
    write_json(read_json(part / "dataset.json") | {"digest": writer.digest}, part / "dataset.json")
    encoded(entry, part, tmp_path / "chosen")
    for name in ("latents", "reconstructions"):
        whole = open_packed(tmp_path / "all" / f"{name}.npy")
        np.testing.assert_array_equal(open_packed(tmp_path / "chosen" / f"{name}.npy"), whole[[7, 2]])


def test_a_stochastic_encoding_that_was_stopped_goes_on_to_the_same_bytes(tmp_path, dataset):
    entry = entry_of("Both", stochastic=True)
    whole = encoded(entry, dataset, tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        signal_after(patch, encode, "encode_posterior", 3, signal.SIGTERM)
        child = in_child(lambda: encoded(entry, dataset, tmp_path / "stopped"), tmp_path / "log")
    assert exit_code(child) == TERMINATED
    assert encoded(entry, dataset, tmp_path / "stopped") == whole


def test_what_is_decoded_on_the_fly_is_what_a_stochastic_decoder_stored(tmp_path, dataset, monkeypatch):
    entry, folder = entry_of("Both", stochastic=True), tmp_path / "encoding"
    encoded(entry, dataset, folder)
    monkeypatch.setattr(encode, "PIXELS", 3 * 64 * 64)
    files = {"card": str(dataset / "dataset.json"), "autoencoder": str(folder / "autoencoder.json")}
    ids = np.array([f"image{i}" for i in range(9)])
    latents = Rows(open_packed(folder / "latents.npy"), CPU, channels_last=False)
    rows, order = DecodedRows(latents, ids, decoder_of_run("mine", entry, files, CPU)), np.array([8, 1, 1, 5, 0, 3])
    for _ in range(2):  # each epoch
        got = torch.cat(list(rows.batches(order, 4))).permute(0, 2, 3, 1)
        np.testing.assert_array_equal(got.numpy(), open_packed(folder / "reconstructions.npy")[order])


@pytest.mark.parametrize("side", [64, 512])
@pytest.mark.parametrize("name", ["sd", "flux1", "tae"])
def test_networks_in_evaluation_mode_are_not_refused_and_leave_generators_and_settings_as_they_were(
    tmp_path, name, side
):
    from learnability.autoencoders.interface import load_autoencoder

    entry = save(name, tmp_path / "weights")
    images = np.random.default_rng(0).integers(0, 256, (3, side, side, 1), dtype=np.uint8)
    torch.set_float32_matmul_precision("high")
    state = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    try:
        check_repeats(name, entry, load_autoencoder(entry, CPU), images, CPU)
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert torch.equal(torch.get_rng_state(), state[0])
    assert np.random.get_state()[1].tolist() == state[1]  # noqa: NPY002


@pytest.mark.parametrize("blank", [[], [2], [0], [0, 1, 2, 3]])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_roundings_are_no_difference_where_the_compared_images_are_blank_and_more_than_these_is(dataset, blank, level):
    from learnability.autoencoders.interface import load_autoencoder

    images = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    images[blank] = level
    check_repeats("mine", entry_of("Rounding"), load_autoencoder(entry_of("Rounding"), CPU), images, CPU)
    entry = entry_of("SlightlyOfABatch")
    with pytest.raises(InputError, match=f"decode {BATCH}"):
        check_repeats("mine", entry, load_autoencoder(entry, CPU), images, CPU)


@pytest.mark.parametrize("name", ["sd", "flux1", "tae"])
def test_networks_are_not_refused_where_the_compared_images_are_blank(tmp_path, name):
    from learnability.autoencoders.interface import load_autoencoder

    entry = save(name, tmp_path / "weights")
    torch.set_num_threads(2)  # which share the sums otherwise for one image than for two
    try:
        for levels in ((0, 0), (0, 120), (200, 201)):
            images = np.stack([np.full((128, 128, 3), level, np.uint8) for level in levels])
            check_repeats(name, entry, load_autoencoder(entry, CPU), images, CPU)
    finally:
        torch.set_num_threads(1)


def test_of_large_images_the_middle_is_compared():
    images = np.zeros((4, 520, 520, 3), np.uint8)
    images[:, 130:390, 130:390, :] = np.arange(260, dtype=np.uint8)[None, None, :, None]
    first, other = randomness.two_of(images, 8, CPU).permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(first, images[0, 132:388, 132:388])
    np.testing.assert_array_equal(other, images[2, 132:388, ::-1][:, 132:388])
    assert randomness.two_of(images[:1, :256, :256], 8, CPU).shape == (2, 3, 256, 256)
