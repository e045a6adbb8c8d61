"""NaN and infinity never become pixels: every way to decode refuses them, and names the image and the autoencoder."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from learnability.autoencoders import encode
from learnability.autoencoders.decoding import image_decoder
from learnability.autoencoders.encode import encode_dataset
from learnability.autoencoders.latent_units import IDENTITY
from learnability.autoencoders.round_trip import round_trip
from learnability.errors import InputError
from learnability.storage.arrays import open_packed
from learnability.storage.batches import DecodedRows, Rows
from tests.autoencoders import as_input, save, write_dataset

CPU = torch.device("cpu")
ENTRY = {"class": "Broken", "channels": 3, "factor": 1, "role": "family"}
WEIGHTS = "diffusion_pytorch_model.safetensors"


class Broken:
    """Keeps images as they are, but for one pixel of one of them, which is decoded to `value`."""

    channels, factor, latent_dtype, decodes, provenance, pipeline = 3, 1, "float16", True, {"source": "test"}, IDENTITY

    stochastic = False

    def __init__(self, image: torch.Tensor, value: float):
        self.bad, self.value = image.half().float(), value

    def encode(self, x):
        return x

    def decode(self, z):
        x_hat = z.clone()
        x_hat[(z == self.bad).flatten(1).all(1), 1, 2, 3] = self.value
        return x_hat


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    monkeypatch.setattr(encode, "PIXELS", 2 * 64 * 64)  # batches of 2, 2 and 1
    return write_dataset(tmp_path / "dataset")


def broken(dataset, row: int, value: float) -> Broken:
    return Broken(as_input(open_packed(dataset / "images.npy")[row : row + 1]), value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_encoding_stops_at_the_image_that_cannot_be_decoded(tmp_path, dataset, monkeypatch, value):
    monkeypatch.setattr(encode, "load_autoencoder", lambda *_: broken(dataset, 3, value))
    message = r"reconstruction of image 'image3' has NaN or infinity: autoencoder mine .*mine\.torch_dtype to float32"
    with pytest.raises(InputError, match=message):
        encode_dataset("mine", ENTRY, dataset, tmp_path / "encoding", CPU)
    assert list((tmp_path / "encoding").glob("*")) == []


def test_decoding_on_the_fly_stops_at_the_row_that_cannot_be_decoded(dataset):
    images = open_packed(dataset / "images.npy")
    np.save(dataset / "latents.npy", as_input(images).half().numpy())
    latents = open_packed(dataset / "latents.npy")
    ids = np.array([f"image{i}" for i in range(5)])
    rows = DecodedRows(Rows(latents, CPU, False), ids, image_decoder("mine", broken(dataset, 4, np.nan), 32))
    assert len(list(rows.batches(np.array([3, 0, 1, 2]), 3))) == 2
    for order in ([4], [3, 1, 2, 0, 4], [2, 4, 4]):  # a batch of one, the last of a later batch, a later chunk of two
        with pytest.raises(InputError, match=r"reconstruction of image 'image4' has NaN .* autoencoder mine"):
            list(rows.batches(np.array(order), 3))


def test_a_check_stops_at_it_too(dataset):
    with pytest.raises(InputError, match="reconstruction of image 'number 1' has NaN or infinity: autoencoder mine"):
        round_trip("mine", broken(dataset, 1, np.nan), {}, np.array(open_packed(dataset / "images.npy")), CPU)


def test_a_decoder_that_overflows_in_half_precision_is_refused_and_in_single_precision_is_not(tmp_path, dataset):
    entry = save("sd", tmp_path / "weights")
    weights = load_file(tmp_path / "weights" / WEIGHTS)
    weights["decoder.conv_in.weight"] *= 1e6  # the next layers normalise
    save_file(weights, tmp_path / "weights" / WEIGHTS, {"format": "pt"})
    with pytest.raises(InputError, match=r"reconstruction of image 'image0' .*\.sd\.torch_dtype to float32"):
        encode_dataset("sd", entry | {"torch_dtype": "float16"}, dataset, tmp_path / "half", CPU)
    encode_dataset("sd", entry, dataset, tmp_path / "single", CPU)
    assert (tmp_path / "single" / "reconstructions.npy").is_file()


@pytest.mark.parametrize("side", ["encode", "decode"])
def test_what_has_another_shape_is_refused_before_anything_is_computed_of_it(tmp_path, dataset, monkeypatch, side):
    monkeypatch.setattr(Broken, side, lambda self, x: x[:, :1])  # one channel: PSNR would take it by broadcasting
    monkeypatch.setattr(encode, "load_autoencoder", lambda *_: broken(dataset, 3, 0.0))
    message = rf"{side} of autoencoder mine returned \(2, 1, 64, 64\); expected \(2, 3, 64, 64\)"
    with pytest.raises(InputError, match=message):
        encode_dataset("mine", ENTRY, dataset, tmp_path / "encoding", CPU)
