"""Images decoded on the fly equal those that encode_dataset stores, for any batch, and a training may use them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from learnability.autoencoders import encode
from learnability.autoencoders.decoding import image_decoder
from learnability.autoencoders.encode import area_average, encode_dataset
from learnability.autoencoders.interface import load_autoencoder
from learnability.storage.arrays import area_average as area_average_of_the_store
from learnability.storage.arrays import open_packed
from learnability.storage.batches import DecodedRows, Rows
from tests.autoencoders import write_dataset

CPU = torch.device("cpu")
SHIPPED = Path(__file__).parents[2] / "workflow" / "resources" / "tiny_autoencoders"
ENTRIES = {
    "pixel_unshuffle": {"class": "pixel_unshuffle", "channels": 192, "factor": 8, "role": "control"},
    "area_downsample": {"class": "area_downsample", "channels": 3, "factor": 8, "role": "control"},
}
for _name, _family, _channels, _factor in (
    ("tiny_sd14", "AutoencoderKL", 4, 8),
    ("tiny_flux1", "AutoencoderKL", 16, 8),
    ("tiny_flux2", "AutoencoderKLFlux2", 32, 8),
    ("tiny_medvae", "AutoencoderKL", 3, 4),
):
    _layout = {"channels": _channels, "factor": _factor, "role": "family"}
    ENTRIES[_name] = {"class": _family, "source": str(SHIPPED / _name)} | _layout


def encoded(tmp_path: Path, name: str, number: int = 10) -> Path:
    dataset = write_dataset(tmp_path / "dataset", number)
    encode_dataset(name, ENTRIES[name], dataset, tmp_path / name, CPU)
    return tmp_path / name


def latent_rows(folder: Path) -> Rows:
    return Rows(open_packed(folder / "latents.npy"), CPU, channels_last=False)


def decoded(folder: Path, name: str) -> DecodedRows:
    rows = latent_rows(folder)
    ids = np.array([f"image{i}" for i in range(len(rows.array))])
    return DecodedRows(rows, ids, image_decoder(name, load_autoencoder(ENTRIES[name], CPU), 32))


@pytest.mark.parametrize("name", list(ENTRIES))
def test_decoding_are_the_stored_reconstructions_to_the_byte(name, tmp_path, monkeypatch):
    monkeypatch.setattr(encode, "PIXELS", 4 * 64 * 64)  # chunks of 4, 4 and 2
    folder = encoded(tmp_path, name)
    stored = open_packed(folder / "reconstructions.npy")
    rows = decoded(folder, name)
    assert rows.device == CPU
    cached = Rows(stored, CPU, channels_last=True)
    for batch_size in (4, 8, 512):  # a classifier's batch may be larger than what is decoded at once
        got = list(rows.batches(np.arange(10), batch_size))
        expected = list(cached.batches(np.arange(10), batch_size))
        assert [len(x) for x in got] == [len(x) for x in expected]
        assert {x.dtype for x in got} == {torch.uint8}
        assert [x.stride() for x in got] == [x.stride() for x in expected]  # the same layout too
        assert torch.equal(torch.cat(got), torch.cat(expected))


@pytest.mark.parametrize("name", ["area_downsample", "tiny_flux2"])
def test_rows_come_in_the_order_that_is_asked_for(name, tmp_path):
    folder, order = encoded(tmp_path, name), np.array([7, 0, 9, 3, 3])
    rows = decoded(folder, name)
    got = torch.cat(list(rows.batches(order, 2))).permute(0, 2, 3, 1).numpy().astype(int)
    # A chunk of another size may round the last bit of a value differently, so that a grey level tips over.
    assert np.abs(got - open_packed(folder / "reconstructions.npy")[order].astype(int)).max() <= 1


class Noted:
    """An autoencoder that notes how many images it decodes at once, and in which mode."""

    channels, factor, latent_dtype, decodes, stochastic = 3, 1, "float16", True, False

    def __init__(self):
        self.chunks, self.weight = [], torch.nn.Linear(3, 3)

    def decode(self, z):
        assert torch.is_inference_mode_enabled()
        self.chunks.append((len(z), z.dtype, self.weight(z.mean(dim=(2, 3))).dtype))
        return z


def test_chunks_bound_what_is_decoded_at_once_in_float32_also_inside_a_bfloat16_classifier():
    noted = Noted()
    decode = image_decoder("noted", noted, 128)
    with torch.autocast("cpu", torch.bfloat16):
        x = decode(torch.zeros(19, 3, 128, 128, dtype=torch.float16), list(range(19)))
    assert x.shape == (19, 3, 128, 128)
    assert noted.chunks == [(n, torch.float32, torch.float32) for n in (4, 4, 4, 4, 3)]  # as in the encoding
    assert decode(torch.zeros(2, 3, 512, 512), [0, 1]).shape == (2, 3, 128, 128)
    assert [n for n, *_ in noted.chunks[5:]] == [1, 1]  # at least one, however large


def test_a_training_can_use_decoded_images(tmp_path):
    folder = encoded(tmp_path, "tiny_sd14", number=4)
    rows = decoded(folder, "tiny_sd14")
    network = torch.nn.Conv2d(3, 2, 3)
    for x in rows.batches(np.arange(4), 4):
        assert not x.is_inference()
        assert not torch.is_inference_mode_enabled()  # the mode of the decoder does not leak out
        network(x.float()).mean().backward()
    assert network.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(("height", "width", "size"), [(32, 32, 32), (64, 64, 32), (64, 32, 16), (512, 512, 256)])
def test_the_area_average_is_that_of_the_store_to_the_last_integer(height, width, size):
    images = np.random.default_rng(0).integers(0, 256, (3, height, width, 3), dtype=np.uint8)
    x = torch.from_numpy(images).permute(0, 3, 1, 2)
    got = area_average(x, size)
    assert got.dtype == torch.uint8
    np.testing.assert_array_equal(got.permute(0, 2, 3, 1).numpy(), area_average_of_the_store(images, size))


def test_halves_are_rounded_up_as_in_the_store():
    x = torch.tensor([[0, 1], [0, 1]], dtype=torch.uint8).expand(1, 3, 2, 2)
    assert area_average(x, 1).unique().tolist() == [1]


def test_a_size_that_does_not_divide_the_image_is_an_error():
    with pytest.raises(ValueError, match="images of 64 x 64 pixels cannot be averaged to 48: not a multiple"):
        area_average(torch.zeros(1, 3, 64, 64, dtype=torch.uint8), 48)
