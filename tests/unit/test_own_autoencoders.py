"""One config entry brings any autoencoder: other classes of diffusers, a class of the user's, the controls."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from learnability.autoencoders.encode import encode_dataset
from learnability.autoencoders.interface import load_autoencoder
from learnability.errors import InputError
from learnability.storage.arrays import open_packed
from learnability.storage.contracts import read_json
from tests.autoencoders import as_input, build, save, write_dataset

ENCODED = ["autoencoder.json", "channel_sums.npy", "latents.npy"]  # without a decoder

CPU = torch.device("cpu")
OWN = """
import torch


class Shrink(torch.nn.Module):
    def __init__(self, factor=4):
        super().__init__()
        self.factor, self.weight = factor, torch.nn.Parameter(torch.ones(3))
    def encode(self, x):
        assert not self.training
        return torch.nn.functional.avg_pool2d(x, self.factor) * self.weight.view(1, 3, 1, 1)
    def decode(self, z):
        return torch.nn.functional.interpolate(z, scale_factor=self.factor)

class Encoder:
    def __init__(self, folder):
        self.shift = float((folder / "shift.txt").read_text())
    def encode(self, x):
        return x[:, :2, ::8, ::8] + self.shift

class Sentence:
    def encode(self, x):
        return "a picture"

class Nothing:
    pass
"""


@pytest.fixture
def images(tmp_path) -> torch.Tensor:
    return as_input(open_packed(write_dataset(tmp_path / "dataset") / "images.npy"))


@pytest.fixture
def own(own_module):
    """A module that the user wrote, in the folder in which the study starts."""
    own_module("my_autoencoder", OWN)
    return {"role": "family", "class": "my_autoencoder:Shrink", "channels": 3, "factor": 4}


@pytest.mark.parametrize("name", ["asymmetric", "vq", "dc", "grey"])
def test_any_class_of_diffusers_gives_its_code_and_its_decoding(name, tmp_path, images):
    entry = save(name, tmp_path / "weights")
    ours, theirs = load_autoencoder(entry, CPU), build(name).to(memory_format=torch.channels_last)  # rounds as ours do
    assert (ours.channels, ours.factor) == (entry["channels"], entry["factor"])
    with torch.inference_mode():
        code = theirs.encode(images.mean(dim=1, keepdim=True) if name == "grey" else images)
        if name == "vq":
            expected = theirs.quantize(code.latents)[0]
            decoded = theirs.decode(code.latents).sample  # it quantises
        else:
            expected = code.latent if name == "dc" else code.latent_dist.mode()
            decoded = theirs.decode(expected).sample
        z = ours.encode(images)
        torch.testing.assert_close(z, expected)
        torch.testing.assert_close(ours.decode(z), decoded.expand(-1, 3, -1, -1))
    if name == "vq":
        rows = z.permute(0, 2, 3, 1).reshape(-1, 3)
        assert len(torch.unique(rows.round(decimals=5), dim=0)) <= 32  # entries of the codebook


def test_nothing_is_tiled_or_sliced_behind_the_back_of_the_user(tmp_path):
    model = load_autoencoder(save("sd", tmp_path / "weights"), CPU).model
    assert not model.use_tiling
    assert not model.use_slicing


def test_the_packed_layout_of_flux2_is_normalised_and_can_be_undone(tmp_path, images):
    entry = save("flux2", tmp_path / "native")
    model = build("flux2")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model.bn.running_mean.normal_()
        model.bn.running_var.uniform_(0.5, 2)
    model.save_pretrained(tmp_path / "packed")
    packed = entry | {"source": str(tmp_path / "packed"), "layout": "packed", "channels": 128, "factor": 16}
    ours = load_autoencoder(packed, CPU)
    assert (ours.channels, ours.factor) == (128, 16)
    with torch.inference_mode():
        native, z = model.encode(images).latent_dist.mode(), ours.encode(images)
        # Channel 4 c + 2 i + j holds row i, column j of each 2 x 2 block of channel c.
        for channel, i, j in ((0, 0, 0), (7, 1, 0), (31, 1, 1)):
            k = 4 * channel + 2 * i + j
            expected = (native[:, channel, i::2, j::2] - model.bn.running_mean[k]) / (
                model.bn.running_var[k] + 1e-4
            ).sqrt()
            torch.testing.assert_close(z[:, k], expected)
        torch.testing.assert_close(ours.decode(z), model.decode(native).sample, rtol=1e-3, atol=1e-4)
    with pytest.raises(InputError, match=r"layout: packed needs FLUX.2's .*, not AutoencoderKL"):
        load_autoencoder(save("sd", tmp_path / "sd") | {"layout": "packed"}, CPU)


def test_another_precision_is_used_and_flux_is_refused_in_float16(tmp_path, images):
    entry = save("flux1", tmp_path / "flux1")
    single, half = (load_autoencoder(entry | {"torch_dtype": name}, CPU) for name in ("float32", "bfloat16"))
    with torch.inference_mode():
        exact, coarse = single.encode(images), half.encode(images)
    assert coarse.dtype == torch.float32
    error = (exact - coarse).abs().mean() / exact.abs().mean()
    assert 1e-4 < error < 0.1
    for name in ("flux1", "flux2"):
        with pytest.raises(InputError, match="FLUX encoders overflow in float16"):
            load_autoencoder(save(name, tmp_path / name) | {"torch_dtype": "float16"}, CPU)
    assert load_autoencoder(save("sd", tmp_path / "sd") | {"torch_dtype": "float16"}, CPU).model.dtype == torch.float16


def test_a_class_of_the_users_own_is_imported_from_where_he_works(own, tmp_path, images):
    ours = load_autoencoder(own | {"options": {"factor": 4}}, CPU)
    assert ours.decodes
    z = ours.encode(images)
    torch.testing.assert_close(z, F.avg_pool2d(images, 4))
    encode_dataset("mine", own, tmp_path / "dataset", tmp_path / "encoding", CPU)
    card = read_json(tmp_path / "encoding" / "autoencoder.json")
    assert (card["class"], card["source"], card["parameters"]) == ("my_autoencoder:Shrink", "my_autoencoder:Shrink", 3)
    before = card["weights_digest"]
    (tmp_path / "my_autoencoder.py").write_text(OWN + "\n# changed\n")
    assert load_autoencoder(own, CPU).provenance["weights_digest"] != before


def test_a_class_without_a_decoder_gives_latents_and_a_card_alone(own, tmp_path):
    write_dataset(tmp_path / "dataset")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "shift.txt").write_text("7")
    entry = own | {"class": "my_autoencoder:Encoder", "source": str(tmp_path / "weights"), "channels": 2, "factor": 8}
    with pytest.raises(InputError, match=r"autoencoder mine cannot be decoded; write autoencoders.mine.decodes: false"):
        encode_dataset("mine", entry, tmp_path / "dataset", tmp_path / "encoding", CPU)
    encode_dataset("mine", entry | {"decodes": False}, tmp_path / "dataset", tmp_path / "encoding", CPU)
    assert sorted(path.name for path in (tmp_path / "encoding").iterdir()) == ENCODED
    assert open_packed(tmp_path / "encoding" / "latents.npy").mean() == pytest.approx(7, abs=1)
    digest = read_json(tmp_path / "encoding" / "autoencoder.json")["weights_digest"]
    (tmp_path / "weights" / "shift.txt").write_text("8")
    assert load_autoencoder(entry, CPU).provenance["weights_digest"] != digest


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "my_autoencoder:Nobody",
            "class my_autoencoder:Nobody: does not exist in .*my_autoencoder.py; expected encode",
        ),
        ("my_autoencoder:Nothing", "class my_autoencoder:Nothing: has no method `encode` in "),
        ("my_autoencoder:Sentence", "encode returned str of a grey image 1 x 3 x 64 x 64; expected a square latent"),
        ("my_autoencodr:Shrink", "class my_autoencodr:Shrink: there is no module my_autoencodr"),
    ],
)
def test_a_class_that_is_no_autoencoder_is_refused(own, name, message):
    with pytest.raises(InputError, match=message):
        load_autoencoder(own | {"class": name}, CPU)


def test_the_area_control_is_the_mean_of_blocks(tmp_path, images):
    control = load_autoencoder({"class": "area_downsample", "channels": 3, "factor": 8}, CPU)
    z = control.encode(images)
    grey = (images.numpy() + 1) * 127.5
    blocks = grey.reshape(len(grey), 3, 8, 8, 8, 8).mean(axis=(3, 5))
    np.testing.assert_allclose(z, np.round(blocks), atol=1)
    flat = torch.full((1, 3, 64, 64), 0.2)
    torch.testing.assert_close(control.decode(control.encode(flat)), flat, atol=1 / 255, rtol=0)


def test_the_random_encoder_is_the_same_for_a_seed_and_has_no_decoder(tmp_path, images):
    options = {"block_out_channels": [8, 8, 16, 16], "norm_num_groups": 4, "layers_per_block": 1}
    entry = {"class": "random_init", "role": "control", "channels": 4, "factor": 8, "options": options}
    with torch.inference_mode():
        first, again = (load_autoencoder(entry, CPU).encode(images) for _ in range(2))
        other = load_autoencoder(entry | {"options": options | {"seed": 1}}, CPU).encode(images)
    assert first.shape == (5, 4, 8, 8)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    write_dataset(tmp_path / "dataset")
    encode_dataset("floor", entry | {"decodes": False}, tmp_path / "dataset", tmp_path / "encoding", CPU)
    assert sorted(path.name for path in (tmp_path / "encoding").iterdir()) == ENCODED
    with pytest.raises(InputError, match="cannot be decoded"):
        encode_dataset("floor", entry, tmp_path / "dataset", tmp_path / "other", CPU)
