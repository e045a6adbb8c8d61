"""Encodings of turned copies: those of the turned images, written whole, resumed, and as large as a plan says."""

import re
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from learnability.autoencoders import encode
from learnability.autoencoders.encode import encode_dataset, packed_arrays
from learnability.autoencoders.interface import load_autoencoder
from learnability.autoencoders.symmetries import codes_of_copies, turn
from learnability.autoencoders.views import Copies, encode_views
from learnability.commands.missing import missing_inputs
from learnability.errors import InputError
from learnability.planning.costs import Plan
from learnability.planning.dag import Job
from learnability.planning.networks import autoencoder_operations
from learnability.planning.rates import Rate, Sustained
from learnability.storage import partial_arrays
from learnability.storage.arrays import PackedWriter, as_rgb, packed_digest
from learnability.storage.contracts import read_json, write_json
from learnability.storage.vouched import vouched_by
from learnability.study.array_sizes import ArraySize, views_bytes
from learnability.study.cells import resolve_autoencoder
from learnability.study.configuration import read_config
from learnability.workflow.job_requests import megabytes_of_run, minutes_of_job
from tests.autoencoders import save, write_dataset
from tests.published import published
from tests.stopping import TERMINATED, exit_code, in_child, signal_after

CPU = torch.device("cpu")
AREA = {"class": "area_downsample", "channels": 3, "factor": 8, "role": "control"}
FLOOR = {"class": "random_init", "channels": 4, "factor": 8, "role": "control", "decodes": False}
FLOOR |= {"options": {"block_out_channels": [32] * 4, "layers_per_block": 1}}
NUMBER, K = 5, 3


@pytest.fixture
def dataset(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(encode, "PIXELS", 2 * 64 * 64)  # batches of 2
    return write_dataset(tmp_path / "dataset", number=NUMBER)


def codes() -> torch.Tensor:
    return torch.from_numpy(codes_of_copies([f"image{i}" for i in range(NUMBER)], K).reshape(-1))


def turned(dataset: Path, folder: Path) -> Path:
    """A dataset whose images are the turned copies of another's, in the order of its views."""
    write_dataset(folder, number=NUMBER * K)
    images = torch.from_numpy(as_rgb(np.load(dataset / "images.npy")).repeat(K, axis=0)).permute(0, 3, 1, 2)
    with PackedWriter(folder / "images.npy", (64, 64, 3), "uint8") as writer:
        writer.write(turn(images, codes()).permute(0, 2, 3, 1).numpy())
    card = read_json(folder / "dataset.json") | {"digest": packed_digest(folder / "images.npy")}
    write_json(card, folder / "dataset.json")
    return folder


@pytest.mark.parametrize("name", ["sd", "flux2", "tae"])
def test_a_view_is_the_encoding_of_the_turned_image(tmp_path, dataset, name):
    entry = save(name, tmp_path / "weights")
    encode_views("mine", entry, dataset, tmp_path / "views", CPU, K)
    encode_dataset("mine", entry, turned(dataset, tmp_path / "turned"), tmp_path / "whole", CPU)
    for file in ("latents.npy", "reconstructions.npy"):
        views, expected = np.load(tmp_path / "views" / file), np.load(tmp_path / "whole" / file)
        assert (views.shape, views.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_array_equal(views, expected)
    plain = tmp_path / "plain"
    encode_dataset("mine", entry, dataset, plain, CPU)
    latents = torch.from_numpy(np.load(plain / "latents.npy").repeat(K, axis=0))
    assert not np.array_equal(turn(latents, codes()).numpy(), np.load(tmp_path / "views/latents.npy"))


def test_of_an_equivariant_encoder_the_views_are_the_turned_latents(tmp_path, dataset):
    encode_dataset("mine", AREA, dataset, tmp_path / "plain", CPU)
    encode_views("mine", AREA, dataset, tmp_path / "views", CPU, K)
    latents = torch.from_numpy(np.load(tmp_path / "plain/latents.npy").repeat(K, axis=0))
    found = np.load(tmp_path / "views/latents.npy")
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(turn(latents, codes()).numpy(), found)
    images = torch.from_numpy(np.load(tmp_path / "plain/reconstructions.npy").repeat(K, axis=0)).permute(0, 3, 1, 2)
    expected = turn(images, codes()).permute(0, 2, 3, 1)
    np.testing.assert_array_equal(expected.numpy(), np.load(tmp_path / "views/reconstructions.npy"))


def test_the_card_says_what_they_are_of_and_vouches_for_them(tmp_path, dataset):
    entry = save("sd", tmp_path / "weights")
    encode_dataset("mine", entry, dataset, tmp_path / "plain", CPU)
    encode_views("mine", entry, dataset, tmp_path / "views", CPU, K, split={"fold": 2, "n_splits": 5})
    card, plain = (read_json(tmp_path / name / "autoencoder.json") for name in ("views", "plain"))
    assert (card["copies"], card["fold"]) == (K, 2)
    arrays = {key for key in plain if key.startswith("digest_")} | {"posterior_variance", "fold"}
    assert {key: card[key] for key in plain.keys() - arrays} == {key: plain[key] for key in plain.keys() - arrays}
    files = {file.path.name for file in vouched_by(tmp_path / "views/autoencoder.json") if file.expected == file.found}
    assert files == {"latents.npy", "reconstructions.npy"}
    assert {path.name for path in (tmp_path / "views").iterdir()} == files | {"autoencoder.json"}


def test_without_a_decoder_there_are_latents_alone(tmp_path, dataset):
    encode_views("mine", FLOOR, dataset, tmp_path / "views", CPU, K)
    assert {path.name for path in (tmp_path / "views").iterdir()} == {"latents.npy", "autoencoder.json"}
    assert np.load(tmp_path / "views/latents.npy").shape == (NUMBER * K, 4, 8, 8)


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_copies_whose_encoding_was_stopped_go_on_to_the_same_bytes(tmp_path, dataset, monkeypatch, capsys, which):
    entry = save("sd", tmp_path / "weights")
    monkeypatch.setattr(partial_arrays, "SECONDS_BETWEEN_SAVES", 0 if which == signal.SIGKILL else 60)
    encode_views("mine", entry, dataset, tmp_path / "whole", CPU, K)

    def work():
        encode_views("mine", entry, dataset, tmp_path / "stopped", CPU, K)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("learnability.autoencoders.views.encode_batch", encode_batch := counted())
        signal_after(patch, encode_batch, "call", 4, which)
        child = in_child(work, tmp_path / "log")
    assert exit_code(child) == (TERMINATED if which == signal.SIGTERM else -which)
    assert [path.name for path in (tmp_path / "stopped").iterdir() if not path.name.startswith(".")] == []
    capsys.readouterr()
    work()
    assert 4 <= int(re.search(r"mine: resumed after (\d+) of 15 copies\n", capsys.readouterr().out)[1]) < 15
    for file in ("latents.npy", "reconstructions.npy", "autoencoder.json"):
        assert (tmp_path / "stopped" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def counted():
    """encode_batch, as a function whose work can be followed by a signal."""
    from learnability.autoencoders.passes import encode_batch

    class Followed:
        call = staticmethod(encode_batch)

        def __call__(self, *given):
            return self.call(*given)

    return Followed()


def test_other_copies_code_or_images_begin_anew(tmp_path, dataset, capsys):
    """The journal of a killed writer is of one number of copies, and of one version of the code."""
    for more in ({"copies": 2}, {"copies": K, "code": "new"}):
        with pytest.MonkeyPatch.context() as patch:
            signal_after(patch, Copies, "__getitem__", 4, signal.SIGTERM)
            child = in_child(lambda: encode_views("mine", AREA, dataset, tmp_path / "views", CPU, K), tmp_path / "log")
        assert exit_code(child) == TERMINATED
        encode_views("mine", AREA, dataset, tmp_path / "views", CPU, **more)
        assert "rows of another autoencoder, code or data; discarded" in capsys.readouterr().out


def test_a_layout_that_the_weights_have_not_is_refused(tmp_path, dataset):
    with pytest.raises(InputError, match=r"autoencoders\.mine\.channels is 4, but the weights have 3"):
        encode_views("mine", AREA | {"channels": 4}, dataset, tmp_path / "views", CPU, K)
    assert not (tmp_path / "views").exists()


# ---- What a plan says ----


@pytest.mark.parametrize("name", ["pixel_unshuffle_8", "area_downsample_8", "tiny_sd14"])
def test_a_plan_says_the_bytes_of_the_files(tmp_path, dataset, name):
    config = read_config(Path("workflow/studies/demo.yaml"))
    entry = resolve_autoencoder(config, name)
    encode_views(name, entry, dataset, tmp_path / "views", CPU, K)
    stored = sum(path.stat().st_size - 128 for path in (tmp_path / "views").glob("*.npy"))  # without the headers
    assert NUMBER * views_bytes(config, name, K) == stored
    folder = tmp_path / config["results"] / "datasets/phantom_skin"
    config["results"] = str(tmp_path / config["results"])
    write_json({"images": NUMBER, "classes": ["a"], "channels": 3}, folder / "dataset.json")
    assert Plan(config, "cpu", [], {}).cost(job("phantom_skin", name, K)).written == stored
    autoencoder = load_autoencoder(entry, CPU)
    assert views_bytes(config, name, 1) < sum(
        np.prod(array.row_shape) * array.dtype.itemsize
        for array in packed_arrays(tmp_path, autoencoder, 64, 32).values()
    )


def job(dataset: str, autoencoder: str, copies: int, rule: str = "encode_views") -> Job:
    names = {"dataset": dataset, "autoencoder": autoencoder, "of_fold": "", "copies": str(copies)}
    return Job(rule, names, 2, (), ())


def test_the_time_of_a_plan_is_that_of_as_many_images_at_the_pace_of_encode_dataset():
    config, h200 = read_config(), Sustained(bfloat16=1e14, tf32=2e13, source="a test")
    found = Plan(config, "NVIDIA H200", [], {"NVIDIA H200": h200}).cost(job("cardium", "flux2", 4))
    both = sum(autoencoder_operations(resolve_autoencoder(config, "flux2"), 512)[:2])
    assert (found.origin, found.seconds) == ("estimate", pytest.approx(4 * 6558 * both / 2e13))
    assert found.written == 4 * 6558 * (32 * 64 * 64 * 2 + 256 * 256 * 3)
    alike = Rate("encode_dataset", found.kind, "NVIDIA H200", 0.5, 3, "measured here")
    own = Rate("encode_views", found.kind, "NVIDIA H200", 0.4, 1, "measured here")
    for rates, pace in (([alike], 0.5), ([alike, own], 0.4)):
        measured = Plan(config, "NVIDIA H200", rates, {}).cost(found.job)
        assert measured.seconds == pytest.approx(4 * pace * 6558 * 512**2 / 1e6)


def test_a_job_asks_for_the_time_of_its_copies_and_a_training_for_their_memory():
    entry, images = {"class": "AutoencoderKL", "channels": 4, "factor": 8}, ArraySize(12_000, 3, 512)
    assert minutes_of_job("encode_views", {"entry": entry, "copies": 4}, images) == 30 + 200
    config = {"image_size": 512, "classifier_size": 256, "autoencoders": {"flux2": entry | {"channels": 32}}}
    cell = {"space": "latent", "autoencoder": "flux2"}
    assert megabytes_of_run(config, cell, 20_000, copies=4) == megabytes_of_run(config, cell, 100_000)


def test_the_weights_of_views_are_looked_for_and_views_do_not_hide_an_encoding_by_others(tmp_path, monkeypatch):
    config = published(autoencoders={"sd14": {"source": "./nowhere"}})
    views = ("encode_views", {"dataset": "cardium", "autoencoder": "sd14", "copies": "4"})
    (message,) = missing_inputs(config, [views])
    assert message.startswith("autoencoders.sd14: ")
    assert "nowhere" in message
    save("sd", tmp_path / "weights")
    entry = {"source": str(tmp_path / "weights"), "class": "AutoencoderKL", "subfolder": None, "revision": None}
    config = published(results=str(tmp_path), autoencoders={"sd14": entry})
    for key in ("subfolder", "revision"):
        del config["autoencoders"]["sd14"][key]
    write_json({"weights_digest": "others"}, tmp_path / "encodings/cardium/sd14/autoencoder.json")
    training = ("train_classifier", {"dataset": "cardium", "autoencoder": "sd14", "recipe": "views", "space": "latent"})
    (message,) = missing_inputs(config, [views, training])
    assert "was encoded by other weights" in message
    encoded = ("encode_dataset", {"dataset": "cardium", "autoencoder": "sd14"})
    assert missing_inputs(config, [views, training, encoded]) == []
