"""What the cards of a results folder vouch for, before its results are taken over."""

from pathlib import Path

import numpy as np
import pytest

from learnability.autoencoders.families.weights import card_digests
from learnability.errors import InputError
from learnability.storage.arrays import PackedWriter, packed_digest
from learnability.storage.contracts import file_digest, read_json, write_json
from learnability.workflow.adoption import adopt, vouched
from tests.autoencoders import save


def packed(path: Path, rows: int) -> str:
    """Write an array as the study does; the digest that its writer gives it."""
    with PackedWriter(path, (4, 8, 8), "float16") as file:
        file.write(np.arange(rows * 256, dtype=np.float16).reshape(rows, 4, 8, 8))
    return file.digest


@pytest.fixture
def results(tmp_path) -> Path:
    """Two packed arrays and a fetched weight, with their cards."""
    encoding, weights = tmp_path / "encodings/skin/flux2", tmp_path / "weights/flux2"
    latents = packed(encoding / "latents.npy", 5)
    write_json({"digest_latents": latents}, encoding / "autoencoder.json")
    small = packed(tmp_path / "datasets/skin/images_small.npy", 3)
    write_json(
        {"digest": "of an array that was removed", "digest_small": small}, tmp_path / "datasets/skin/dataset.json"
    )
    (weights / "vae").mkdir(parents=True)
    (weights / "vae/model.safetensors").write_bytes(b"weights")
    digest = file_digest(weights / "vae/model.safetensors")
    write_json({"files": {"vae/model.safetensors": digest}}, weights / "source.json")
    return tmp_path


def test_the_digest_of_a_file_is_that_of_its_writer(tmp_path):
    assert packed(tmp_path / "latents.npy", 7) == packed_digest(tmp_path / "latents.npy")


def test_every_file_that_is_there_is_compared_with_its_card(results):
    found = list(vouched(results))
    assert [file.path.name for file in found] == ["images_small.npy", "latents.npy", "model.safetensors"]
    assert all(file.expected == file.found for file in found)


@pytest.mark.parametrize(
    "name",
    ["encodings/skin/flux2/latents.npy", "datasets/skin/images_small.npy", "weights/flux2/vae/model.safetensors"],
)
def test_one_flipped_bit_is_found_and_nothing_is_taken_over(results, name):
    content = bytearray((results / name).read_bytes())
    content[-1] ^= 1
    (results / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"^{results / name}: not what the card beside it says; remove it"):
        adopt({"results": str(results)}, [])


def test_an_encoding_by_weights_that_have_changed_is_not_taken_over(results):
    entry = save("sd", results / "sd")
    card = results / "encodings/skin/flux2/autoencoder.json"
    write_json(read_json(card) | card_digests(entry), card)
    config = {"results": str(results), "autoencoders": {"flux2": entry}}
    (results / "sd/config.json").write_text((results / "sd/config.json").read_text().replace("0.18215", "0.6924"))
    with pytest.raises(InputError, match=r"flux2 was encoded by other weights \(config_digest .*remove that folder"):
        adopt(config, [])


def test_a_folder_without_results_is_named(tmp_path):
    with pytest.raises(InputError, match="no card of a dataset, encoding or weights; there is nothing to take over"):
        adopt({"results": str(tmp_path)}, [])
