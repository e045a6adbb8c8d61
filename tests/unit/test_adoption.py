"""What the cards of a results folder vouch for, before its results are taken over."""

import os
from pathlib import Path
from types import SimpleNamespace as Namespace

import numpy as np
import pytest

from learnability.autoencoders.families.weights import card_digests
from learnability.errors import InputError
from learnability.storage.arrays import PackedWriter, packed_digest
from learnability.storage.contracts import digest, file_digest, read_json, write_json
from learnability.workflow import adoption
from learnability.workflow.adoption import adopt, vouched
from tests.autoencoders import save
from tests.lights import teach, write_study


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


def test_tuned_weights_are_compared_with_an_encoding_by_them_and_not_with_one_that_is_older(results):
    tuned = results / "weights/skin/flux2/diffusion_pytorch_model.safetensors"
    tuned.parent.mkdir(parents=True)
    tuned.write_bytes(b"tuned")
    card = results / "encodings/skin/flux2/autoencoder.json"
    write_json(read_json(card) | {"weights_digest": digest([file_digest(tuned)])}, card)
    (compared,) = [file for file in vouched(results) if file.path == tuned]
    assert compared.expected == compared.found
    tuned.write_bytes(b"damaged")
    os.utime(tuned, ns=(10**18, 10**18))  # a disk that forgets leaves the time as it was
    (compared,) = [file for file in vouched(results) if file.path == tuned]
    assert compared.expected != compared.found
    os.utime(tuned, ns=(4 * 10**18, 4 * 10**18))  # tuned again, and not yet encoded by
    assert [file for file in vouched(results) if file.path == tuned] == []


def test_an_encoding_by_weights_that_have_changed_is_not_taken_over(results):
    entry = save("sd", results / "sd")
    card = results / "encodings/skin/flux2/autoencoder.json"
    write_json(read_json(card) | card_digests(entry), card)
    config = {"results": str(results), "autoencoders": {"flux2": entry}}
    (results / "sd/config.json").write_text((results / "sd/config.json").read_text().replace("0.18215", "0.6924"))
    with pytest.raises(InputError, match=r"flux2 was encoded by other weights \(config_digest .*remove that folder"):
        adopt(config, [])


def test_logits_that_an_earlier_version_left_without_a_card_are_given_the_one_that_their_job_writes(
    tmp_path, monkeypatch
):
    study = write_study(tmp_path)
    logits = teach(study, "teacher")
    card = logits.with_suffix(".json")
    written = card.read_bytes()
    card.unlink()
    touched = []
    monkeypatch.setattr(
        adoption.subprocess, "run", lambda *_, **__: touched.append(card.is_file()) or Namespace(returncode=0)
    )
    adopt({"results": str(study)}, [])
    assert touched == [True]
    assert card.read_bytes() == written


def test_a_folder_without_results_is_named(tmp_path):
    with pytest.raises(InputError, match="no card of a dataset, encoding or weights; there is nothing to take over"):
        adopt({"results": str(tmp_path)}, [])
