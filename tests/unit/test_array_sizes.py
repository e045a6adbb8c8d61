"""Shape and bytes of stored arrays, worked out from the configuration, against the arrays that encodings open."""

import math

import pytest
import torch

from learnability.autoencoders.encode import packed_arrays
from learnability.autoencoders.interface import load_autoencoder
from learnability.study.array_sizes import encoding_bytes, packing_bytes, row_bytes, row_shape
from learnability.study.cells import resolve_autoencoder
from learnability.study.configuration import read_config
from tests.conftest import CHECKOUT

CONFIG = read_config(CHECKOUT / "workflow/studies/demo.yaml")
OPTIONS = {"block_out_channels": [8, 8, 16, 16], "norm_num_groups": 4}  # a small random encoder
NAMES = [
    "tiny_sd14",
    "tiny_flux2",
    "tiny_medvae",
    "pixel_unshuffle_8",
    "enciphered_8",
    "area_downsample_8",
    "random_init_8",
]


@pytest.mark.parametrize("name", NAMES)
def test_what_the_configuration_says_is_what_an_encoding_stores(name, tmp_path):
    entry = resolve_autoencoder(CONFIG, name)
    loaded = load_autoencoder(entry | ({"options": OPTIONS} if name == "random_init_8" else {}), torch.device("cpu"))
    arrays = packed_arrays(tmp_path, loaded, CONFIG["image_size"], CONFIG["classifier_size"])
    stored = {kind: math.prod(array.row_shape) * array.dtype.itemsize for kind, array in arrays.items()}
    assert row_shape(CONFIG, "latent", name) == arrays["latents"].row_shape
    assert row_bytes(CONFIG, "latent", name) == stored["latents"]
    assert encoding_bytes(CONFIG, name) == sum(stored.values())


def test_packed_images_have_their_channels_at_full_size_and_rgb_at_the_small_one():
    assert row_shape(CONFIG, "image", "original") == (3, 32, 32)
    assert packing_bytes(CONFIG, channels=1) == 64 * 64 + 3 * 32 * 32
    assert packing_bytes(CONFIG, channels=3) == 3 * 64 * 64 + 3 * 32 * 32
