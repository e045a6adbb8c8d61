"""Weights are identified by the content of their files, wherever they lie; to ask again costs nothing."""

import importlib
import os
import shutil
import sys

import pytest
import torch

from learnability.autoencoders.decoding import decoder_of_run
from learnability.autoencoders.encode import encode_dataset
from learnability.autoencoders.families.weights import card_digests, files_read
from learnability.errors import InputError
from learnability.storage.contracts import file_digest, write_json
from learnability.workflow import identity
from learnability.workflow.identity import (
    autoencoder_identity,
    changed_weights,
    edited_since_fetch,
    pretrained_identity,
)
from tests.autoencoders import save, write_dataset

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    """The folder in which Snakemake runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))  # a class of one's own is looked for in this folder
    identity.content_digest.cache_clear()
    yield tmp_path
    identity.content_digest.cache_clear()


def identity_of(entry, fetched=None):
    identity.content_digest.cache_clear()  # as at every start of Snakemake
    return autoencoder_identity(entry, fetched)


def test_a_large_file_is_digested_once_and_again_when_it_was_written(work, monkeypatch):
    monkeypatch.setattr(identity, "SMALL", 0)
    digested = []
    monkeypatch.setattr(identity, "file_digest", lambda path: digested.append(path.name) or file_digest(path))
    entry = save("sd", work / "sd")
    first = identity_of(entry)
    assert identity_of(entry) == first
    assert sorted(digested) == ["config.json", "diffusion_pytorch_model.safetensors"]
    weights = work / "sd/diffusion_pytorch_model.safetensors"
    facts, content = weights.stat(), bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    os.utime(weights, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    changed = identity_of(entry)
    assert changed != first
    content[-1] ^= 1
    weights.write_bytes(content)
    assert identity_of(entry) == first


def test_two_variants_of_one_folder_are_not_taken_for_each_other_when_they_are_away(work):
    entry = save("sd", work / "sd")
    shutil.copy(work / "sd/diffusion_pytorch_model.safetensors", work / "sd/diffusion_pytorch_model.fp16.safetensors")
    with (work / "sd/diffusion_pytorch_model.fp16.safetensors").open("ab") as file:
        file.write(b" ")
    whole, half = identity_of(entry), identity_of(entry | {"variant": "fp16"})
    assert whole != half
    shutil.rmtree(work / "sd")
    assert (identity_of(entry), identity_of(entry | {"variant": "fp16"})) == (whole, half)
    assert identity_of(entry | {"subfolder": "vae"}) is None  # never seen


def test_what_was_fetched_and_edited_since_is_named_and_what_was_only_copied_is_not(work):
    (work / "sd/vae").mkdir(parents=True)
    files = {"vae/config.json": b"{}", "vae/weights.safetensors": b"weights"}
    for name, content in files.items():
        (work / "sd" / name).write_bytes(content)
    entry = {"class": "AutoencoderKL", "source": "owner/model"}
    assert identity_of(entry, work / "sd") == {}  # not fetched yet
    write_json({"files": {name: file_digest(work / "sd" / name) for name in files}}, work / "sd/source.json")
    assert identity_of(entry, work / "sd") == pretrained_identity({"source": "owner/model"}, work / "sd") == {}
    shutil.copytree(work / "sd", work / "copy")
    assert edited_since_fetch(work / "copy") == {}
    (work / "sd/vae/config.json").write_bytes(b"{ }")
    assert identity_of(entry, work / "sd") == {"vae/config.json": file_digest(work / "sd/vae/config.json")}


def pretrained_of(entry, fetched=None):
    identity.content_digest.cache_clear()
    return pretrained_identity(entry, fetched)


def test_the_config_json_that_normalises_images_counts_in_a_folder_and_beside_what_was_fetched(work):
    (work / "starts").mkdir()
    (work / "starts/model.safetensors").write_bytes(b"weights")
    local, hub = {"source": "./starts"}, {"source": "timm/convnext"}
    write_json(
        {"files": {"model.safetensors": file_digest(work / "starts/model.safetensors")}}, work / "starts/source.json"
    )
    alone = pretrained_of(local)
    assert pretrained_of(hub, work / "starts") == {}
    found = {alone}
    for mean in ("0.5", "0.4"):
        (work / "starts/config.json").write_text(f'{{"mean": [{mean}, 0.5, 0.5], "std": [1, 1, 1]}}')
        found.add(pretrained_of(local))
        assert pretrained_of(hub, work / "starts") == {"config.json": file_digest(work / "starts/config.json")}
    assert len(found) == 3
    (work / "starts/config.json").unlink()
    assert pretrained_of(local) == alone


def test_a_class_of_ones_own_reads_its_folder_its_code_and_the_files_that_its_options_name(work):
    (work / "mine").mkdir()
    (work / "mine/__init__.py").write_text("")
    (work / "mine/model.py").write_text("from . import layers\nimport torch\n\nclass Mine:\n    pass\n")
    (work / "mine/layers.py").write_text("from mine.deep.down import SIZE\n")
    (work / "mine/unused.py").write_text("")
    (work / "mine/deep").mkdir()
    (work / "mine/deep/__init__.py").write_text("")
    (work / "mine/deep/down.py").write_text("SIZE = 1\n")
    (work / "weights/__pycache__").mkdir(parents=True)
    (work / "weights/a.bin").write_bytes(b"a")
    (work / "weights/__pycache__/a.pyc").write_bytes(b"left behind")
    (work / "weights/.cache").write_bytes(b"left behind")
    (work / "extra.pt").write_bytes(b"extra")
    entry = {"class": "mine.model:Mine", "source": "./weights", "options": {"size": 3, "files": ["./extra.pt", "none"]}}
    assert sorted(files_read(entry)) == [
        "code mine/__init__.py", "code mine/deep/__init__.py", "code mine/deep/down.py", "code mine/layers.py",
        "code mine/model.py", "options files.0", "source a.bin",
    ]  # fmt: skip
    found = {identity_of(entry)}
    for name in ("mine/deep/down.py", "weights/a.bin", "extra.pt"):
        (work / name).write_bytes((work / name).read_bytes() + b"\n")
        found.add(identity_of(entry))
    assert len(found) == 4
    (work / "mine/unused.py").write_text("edited")
    assert identity_of(entry) in found


def test_a_text_in_the_options_that_can_be_no_path_is_no_file(work):
    (work / "classes_of_mine.py").write_text("class Mine:\n    pass\n")
    entry = {
        "class": "classes_of_mine:Mine",
        "options": {"prompt": "words " * 100, "zero": "a\0b", "sign": "~no one/knows"},
    }
    assert list(files_read(entry)) == ["code classes_of_mine.py"]


def test_an_encoding_by_another_class_of_ones_own_is_named_though_it_has_no_folder(work):
    code = work / "classes_of_mine.py"
    code.write_text("class Mine:\n    pass\n")
    entry = {"class": "classes_of_mine:Mine", "channels": 3, "factor": 8}
    config = {"results": str(work / "results"), "autoencoders": {"mine": entry}}
    card = work / "results/encodings/data/mine/autoencoder.json"
    card.parent.mkdir(parents=True)
    write_json(card_digests(entry), card)
    assert changed_weights(config, "data", "mine") is None
    code.write_text("class Mine:\n    edited = True\n")
    message = changed_weights(config, "data", "mine")
    assert message.startswith(f"autoencoders.mine: {card.parent} was encoded by other weights (weights_digest ")
    assert message.endswith("or put back the code and files that were used")
    code.unlink()  # as on a machine with only the results
    importlib.invalidate_caches()
    assert changed_weights(config, "data", "mine") is None


def test_latents_are_decoded_by_the_weights_that_made_them_or_not_at_all(work):
    entry, dataset = save("sd", work / "sd"), write_dataset(work / "dataset")
    encode_dataset("sd", entry, dataset, work / "encoding", CPU)
    files = {"card": str(dataset / "dataset.json"), "autoencoder": str(work / "encoding/autoencoder.json")}
    decoder_of_run("sd", entry, files, CPU)
    config = work / "sd/config.json"
    config.write_text(config.read_text().replace("silu", "relu"))
    with pytest.raises(InputError, match=r"autoencoder sd: .*encoding was encoded by other weights \(config_digest "):
        decoder_of_run("sd", entry, files, CPU)


def test_a_digest_that_a_power_cut_left_empty_is_taken_again(work, monkeypatch):
    monkeypatch.setattr(identity, "SMALL", 0)
    entry = save("sd", work / "sd")
    first = identity_of(entry)
    for kept in identity.KNOWN.iterdir():
        kept.write_text("")
    assert identity_of(entry) == first


@pytest.mark.parametrize(
    ("name", "why"), [("os:system", "os is a part of Python itself"), ("broken:Mine", "broken.py: not valid Python: ")]
)
def test_a_class_whose_code_cannot_be_read_is_refused_before_the_graph(work, name, why):
    (work / "broken.py").write_text("class Mine(:\n")
    config = {"study": {"autoencoders": ["mine"], "controls": []}, "autoencoders": {"mine": {"class": name}}}
    with pytest.raises(InputError, match=rf"^autoencoders\.mine: .*{why}"):
        identity.check_own_classes(config)
    config["study"]["autoencoders"] = []
    identity.check_own_classes(config)
