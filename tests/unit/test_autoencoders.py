"""Encoding: what is stored is the family's own code, and reconstructions are decoded from what is stored."""

import json
import logging

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from skimage.metrics import peak_signal_noise_ratio

from learnability.autoencoders import encode
from learnability.autoencoders.encode import encode_dataset
from learnability.autoencoders.families.diffusers_family import DiffusersAutoencoder
from learnability.autoencoders.interface import load_autoencoder
from learnability.autoencoders.latent_units import IDENTITY
from learnability.errors import InputError
from learnability.storage.arrays import area_average, open_packed
from learnability.storage.contracts import FOLDS, read_encodings, read_json, write_parquet
from tests.autoencoders import FAMILIES, as_input, build, save, write_dataset

CPU = torch.device("cpu")
WEIGHTS = "diffusion_pytorch_model.safetensors"
ENCODING = ["autoencoder.json", "channel_sums.npy", "fidelity.parquet", "latents.npy", "reconstructions.npy"]


@pytest.fixture
def dataset(tmp_path):
    return write_dataset(tmp_path / "dataset")


def encode_into(tmp_path, name: str, entry: dict, dataset):
    encode_dataset(name, entry, dataset, tmp_path / "encoding", CPU)
    assert sorted(path.name for path in (tmp_path / "encoding").iterdir()) == ENCODING
    return tmp_path / "encoding"


def refused(tmp_path, entry: dict, dataset, message: str) -> None:
    """The encoding is refused with the message, and nothing is left in its folder."""
    with pytest.raises(InputError, match=message):
        encode_dataset("mine", entry, dataset, tmp_path / "encoding", CPU)
    assert list((tmp_path / "encoding").glob("*")) == []


@pytest.mark.parametrize("name", list(FAMILIES))
def test_every_family_encodes_to_its_raw_posterior_mode_and_decodes_as_diffusers_does(name, tmp_path, dataset):
    ours, theirs = load_autoencoder(save(name, tmp_path / "weights"), CPU), build(name)
    x = as_input(open_packed(dataset / "images.npy"))
    with torch.inference_mode():
        z, code = ours.encode(x), theirs.encode(x)
        assert torch.equal(z, code.latents if name == "tae" else code.latent_dist.mean)
        assert torch.equal(ours.decode(z), theirs.decode(z).sample)
    assert z.shape == (5, ours.channels, 64 // ours.factor, 64 // ours.factor)
    assert (ours.channels, ours.factor) == (FAMILIES[name][1], 8)
    assert ours.provenance["parameters"] == sum(weight.numel() for weight in theirs.parameters())
    assert not ours.model.training


@pytest.mark.parametrize("name", ["sd", "tae"])
def test_an_encoding_equals_the_one_made_step_by_step_with_diffusers(name, tmp_path, dataset, monkeypatch):
    monkeypatch.setattr(encode, "PIXELS", 2 * 64 * 64)  # batches of 2, 2 and 1
    folder = encode_into(tmp_path, name, save(name, tmp_path / "weights"), dataset)
    images, theirs = open_packed(dataset / "images.npy"), build(name)
    fidelity = pd.read_parquet(folder / "fidelity.parquet")
    assert fidelity["sample_id"].tolist() == [f"image{i}" for i in range(5)]
    for i in range(5):
        with torch.inference_mode():
            code = theirs.encode(as_input(images[i : i + 1]))
            z = (code.latents if name == "tae" else code.latent_dist.mean).half().numpy()
            stored = open_packed(folder / "latents.npy")[i : i + 1]
            assert stored.dtype == np.float16
            np.testing.assert_allclose(stored.astype(float), z.astype(float), rtol=2e-3, atol=1e-4)
            decoded = theirs.decode(torch.from_numpy(stored.astype(np.float32))).sample.clamp(-1, 1)
        x_hat = ((decoded + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
        small = open_packed(folder / "reconstructions.npy")[i].astype(int)
        # A batch of another size rounds the last bit differently, so that a grey level may tip over.
        assert np.abs(small - area_average(x_hat, 32)[0]).max() <= 1
        psnr = peak_signal_noise_ratio(images[i], x_hat[0], data_range=255)
        assert fidelity["psnr"][i] == pytest.approx(psnr, abs=1e-3)
        assert fidelity["ssim"][i] < 0.9


class Offset:
    """An autoencoder whose latents lie where float16 has steps of a half: storing costs what a test can see."""

    channels, factor, latent_dtype, decodes, provenance = 3, 1, "float16", True, {"source": "test"}
    stochastic = False
    pipeline = IDENTITY

    def encode(self, x):
        return x * 8 + 1000

    def decode(self, z):
        return (z - 1000) / 8


OFFSET = {"class": "Offset", "channels": 3, "factor": 1, "role": "family"}


def test_reconstructions_and_fidelity_come_from_the_latents_as_they_are_stored(tmp_path, dataset, monkeypatch):
    monkeypatch.setattr(encode, "load_autoencoder", lambda *_: Offset())
    folder = encode_into(tmp_path, "offset", OFFSET, dataset)
    stored = open_packed(folder / "latents.npy").astype(np.float32)
    assert (stored * 2 == np.round(stored * 2)).all()
    x_hat = np.round(np.clip((stored - 1000) / 8 + 1, 0, 2) * 127.5).astype(np.uint8).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(open_packed(folder / "reconstructions.npy"), area_average(x_hat, 32))
    expected = [peak_signal_noise_ratio(*pair) for pair in zip(open_packed(dataset / "images.npy"), x_hat, strict=True)]
    fidelity = pd.read_parquet(folder / "fidelity.parquet")
    np.testing.assert_allclose(fidelity["psnr"], expected, rtol=1e-9)
    assert fidelity["psnr"].max() < 45


def test_damaged_images_are_not_encoded(tmp_path):
    damaged, entry = write_dataset(tmp_path / "damaged"), save("sd", tmp_path / "weights")
    content = bytearray((damaged / "images.npy").read_bytes())
    content[-1] ^= 1
    (damaged / "images.npy").write_bytes(content)
    with pytest.raises(InputError, match=r"images\.npy: damaged, not what digest of dataset\.json says; delete both"):
        encode_into(tmp_path, "damaged_encoding", entry, damaged)
    assert not (tmp_path / "damaged_encoding").exists()


def test_the_card_says_what_was_encoded_with_what(tmp_path, dataset):
    entry = save("sd", tmp_path / "weights") | {"licence": "MIT"}
    card = read_json(encode_into(tmp_path, "mine", entry, dataset) / "autoencoder.json")
    files = ("latents", "channel_sums", "reconstructions", "fidelity")
    of_files = [*(f"digest_{name}" for name in files), "weights_digest", "config_digest"]
    digests = {key: card.pop(key) for key in of_files}
    assert len(card.pop("posterior_variance")) == 4
    assert all(len(digest) == 64 for digest in digests.values())
    assert card == {
        "autoencoder": "mine",
        "role": "family",
        "fold": None,
        "dataset": "waves",
        "dataset_digest": read_json(dataset / "dataset.json")["digest"],
        "class": "AutoencoderKL",
        "licence": "MIT",
        "channels": 4,
        "factor": 8,
        "input": "fixed",
        "grid": [8, 8],
        "compression": 48.0,
        "latent_dtype": "float16",
        "pipeline": {"mean": [0.0], "std": [1 / 0.18215]},
        "decodes": True,
        "stochastic": False,
        "precision": "float32",
        "source": "local weights weights",  # no path of this machine: two clones write the same bytes
        "parameters": sum(weight.numel() for weight in build("sd").parameters()),
    }


@pytest.mark.parametrize("name", ["sd", "grey", "tae", "vq"])
def test_the_card_has_the_mean_variance_of_a_posterior_where_there_is_one(tmp_path, dataset, name):
    card = read_json(encode_into(tmp_path, "mine", save(name, tmp_path / "weights"), dataset) / "autoencoder.json")
    if name in ("tae", "vq"):
        assert card["posterior_variance"] is None
        return
    x = torch.from_numpy(np.array(open_packed(dataset / "images.npy"))).movedim(-1, 1).float() / 127.5 - 1
    x = x.mean(dim=1, keepdim=True) if name == "grey" else x
    with torch.inference_mode():
        variance = build(name).encode(x).latent_dist.var
    np.testing.assert_allclose(card["posterior_variance"], variance.mean(dim=(0, 2, 3)), rtol=1e-4)


def test_weights_tuned_for_a_fold_are_judged_on_its_test_images_and_encode_them_all(tmp_path, dataset):
    entry, folds = save("sd", tmp_path / "weights"), dataset / "folds.parquet"
    names = [f"image{i}" for i in range(5)]
    write_parquet(pd.DataFrame({"sample_id": names, "fold": [2, 0, 1, 0, 2]})[FOLDS], folds)
    encode_dataset("mine", entry, dataset, tmp_path / "all", CPU)
    whole = pd.read_parquet(tmp_path / "all" / "fidelity.parquet").set_index("sample_id")
    paths = []
    for fold in range(3):
        folder = tmp_path / f"mine@fold{fold}"
        encode_dataset("mine", entry, dataset, folder, CPU, folds, {"fold": fold, "n_splits": 3})
        assert read_json(folder / "autoencoder.json")["fold"] == fold
        assert read_json(folder / "autoencoder.json")["autoencoder"] == "mine"
        assert (folder / "latents.npy").read_bytes() == (tmp_path / "all" / "latents.npy").read_bytes()
        paths.append((folder / "fidelity.parquet", folder / "autoencoder.json"))
    parts = [pd.read_parquet(path)["sample_id"].tolist() for path, _ in paths]
    assert parts == [["image1", "image3"], ["image2"], ["image0", "image4"]]
    together = read_encodings(*map(list, zip(*paths, strict=True)))
    assert set(together["autoencoder"]) == {"mine"}
    pd.testing.assert_frame_equal(together.set_index("sample_id")[["psnr", "ssim"]].sort_index(), whole.sort_index())


@pytest.mark.parametrize(("factor", "grey"), [(8, False), (4, False), (4, True)])
def test_the_pixel_unshuffle_control_loses_nothing(factor, grey, tmp_path):
    dataset = write_dataset(tmp_path / "dataset", channels=1 if grey else 3)
    entry = {"class": "pixel_unshuffle", "channels": 3 * factor**2, "factor": factor, "role": "control"}
    folder = encode_into(tmp_path, "control", entry, dataset)
    latents = open_packed(folder / "latents.npy")
    assert latents.dtype == np.uint8
    assert latents.shape == (5, 3 * factor**2, 64 // factor, 64 // factor)
    images = np.broadcast_to(open_packed(dataset / "images.npy"), (5, 64, 64, 3))
    np.testing.assert_array_equal(latents[:, factor + 2, 1, 2], images[:, factor + 1, 2 * factor + 2, 0])
    assert (folder / "reconstructions.npy").read_bytes() == (dataset / "images_small.npy").read_bytes()
    fidelity = pd.read_parquet(folder / "fidelity.parquet")
    assert (fidelity["psnr"] == np.inf).all()
    assert (fidelity["ssim"] == 1).all()
    assert read_json(folder / "autoencoder.json")["role"] == "control"


def test_latents_that_are_no_number_name_the_image_and_leave_nothing(tmp_path, dataset, monkeypatch):
    entry = save("sd", tmp_path / "weights")
    weights = load_file(tmp_path / "weights" / WEIGHTS)
    weights["encoder.conv_in.weight"][0, 0, 0, 0] = torch.nan
    save_file(weights, tmp_path / "weights" / WEIGHTS, {"format": "pt"})
    refused(tmp_path, entry, dataset, r"latent of image 'image0' has NaN, infinity or values beyond float16")


def test_a_latent_beyond_float16_in_a_later_batch_names_its_own_image(tmp_path, dataset, monkeypatch):
    monkeypatch.setattr(encode, "PIXELS", 2 * 64 * 64)
    monkeypatch.setattr(encode, "load_autoencoder", lambda *_: Offset())
    third = as_input(open_packed(dataset / "images.npy")[3:4])
    overflow = lambda _, x: x + 1e5 * (x == third).flatten(1).all(1).view(-1, 1, 1, 1)  # noqa: E731
    monkeypatch.setattr(Offset, "encode", overflow)
    refused(tmp_path, OFFSET, dataset, "latent of image 'image3' has NaN, infinity or values beyond float16")


def test_a_layout_that_the_weights_do_not_have_is_refused_by_its_key(tmp_path, dataset):
    entry = save("sd", tmp_path / "weights")
    refused(tmp_path, entry | {"channels": 16}, dataset, r"autoencoders\.mine\.channels is 16, but the weights have 4")
    refused(tmp_path, entry | {"factor": 4}, dataset, r"autoencoders\.mine\.factor is 4, but the weights have 8")
    control = {"class": "pixel_unshuffle", "channels": 3 * 24**2, "factor": 24, "role": "control"}
    refused(tmp_path, control, dataset, "image_size 64 is not a multiple of the factor 24 of autoencoder mine")


def test_weights_that_are_not_where_they_should_be_are_refused_with_what_to_do(tmp_path, dataset, monkeypatch):
    entry = save("sd", tmp_path / "weights")
    (tmp_path / "weights" / "config.json").rename(tmp_path / "config.json")
    expected = "does not exist; expected the weights of AutoencoderKL there"
    refused(tmp_path, entry, dataset, f"weights/config.json {expected}")
    refused(tmp_path, entry | {"subfolder": "vae"}, dataset, f"weights/vae/config.json {expected}")
    refused(tmp_path, entry | {"source": f"{tmp_path}/nowhere"}, dataset, "nowhere is not a folder; expected the weig")
    (tmp_path / "config.json").rename(tmp_path / "weights" / "config.json")
    refused(tmp_path, entry | {"variant": "fp16"}, dataset, rf"diffusion_pytorch_model.fp16.safetensors {expected}")
    monkeypatch.delenv("MY_WEIGHTS", raising=False)
    message = r"source \$\{MY_WEIGHTS\}/sd: set the environment variable MY_WEIGHTS to the folder of the weights"
    refused(tmp_path, entry | {"source": "${MY_WEIGHTS}/sd"}, dataset, message)


def test_a_folder_named_by_an_environment_variable_and_a_subfolder_is_found(tmp_path, monkeypatch):
    entry = save("tae", tmp_path / "weights" / "vae")
    monkeypatch.setenv("MY_WEIGHTS", str(tmp_path))
    found = load_autoencoder(entry | {"source": "$MY_WEIGHTS/weights", "subfolder": "vae"}, CPU)
    assert found.provenance["source"] == "$MY_WEIGHTS/weights"  # as in the config, without a path of this machine


def test_weights_of_another_class_or_with_other_tensors_are_refused(tmp_path, dataset):
    sd, flux2 = save("sd", tmp_path / "sd"), save("flux2", tmp_path / "flux2")
    refused(tmp_path, sd | {"class": "AutoencoderTiny"}, dataset, "weights do not fit AutoencoderTiny: .* missing")
    refused(tmp_path, sd | {"class": "AutoencoderKLFlux2"}, dataset, "do not fit .* 3 tensors missing .'bn")
    refused(tmp_path, flux2 | {"class": "AutoencoderKL"}, dataset, "do not fit AutoencoderKL: .* 3 unknown .'bn")
    config = tmp_path / "sd" / "config.json"
    settings = json.loads(config.read_text())
    config.write_text(json.dumps(settings | {"use_quant_conv": False}))  # diffusers would leave a layer out
    refused(tmp_path, sd, dataset, r"2 unknown \['quant_conv.bias', 'quant_conv.weight'\]")
    config.write_text(json.dumps(settings | {"latent_channels": 16}))
    refused(tmp_path, sd, dataset, "sd: cannot be read as AutoencoderKL: .*expected shape")
    config.write_text(json.dumps(settings))
    content = (tmp_path / "sd" / WEIGHTS).read_bytes()
    (tmp_path / "sd" / WEIGHTS).write_bytes(content[:5000])
    refused(tmp_path, sd, dataset, "sd: cannot be read as AutoencoderKL")


def test_weights_with_the_old_names_of_attention_are_read(tmp_path, dataset):
    entry = save("sd", tmp_path / "weights")  # as in the published weights of Stable Diffusion 1
    new = ("to_q", "to_k", "to_v", "to_out.0")
    weights = load_file(tmp_path / "weights" / WEIGHTS)
    for now, before in zip(new, ("query", "key", "value", "proj_attn"), strict=True):
        weights = {key.replace(now, before): value for key, value in weights.items()}
    save_file(weights, tmp_path / "weights" / WEIGHTS, {"format": "pt"})
    x = as_input(open_packed(dataset / "images.npy"))
    with torch.inference_mode():
        assert torch.equal(load_autoencoder(entry, CPU).encode(x), build("sd").encode(x).latent_dist.mean)


@pytest.mark.parametrize(("error", "shown"), [
    (torch.OutOfMemoryError("no memory left"), torch.OutOfMemoryError),
    (RuntimeError("cuDNN error: CUDNN_STATUS_NOT_INITIALIZED"), RuntimeError),
    (RuntimeError("GET was unable to find an engine to execute this computation"), RuntimeError),
    (RuntimeError("shapes do not fit"), InputError),
])  # fmt: skip
def test_a_failure_of_the_gpu_is_not_taken_for_a_wrong_class(tmp_path, monkeypatch, error, shown):
    def fail(*_):
        raise error

    monkeypatch.setattr(DiffusersAutoencoder, "encode", fail)
    entry = save("sd", tmp_path / "weights")
    with pytest.raises(shown) as raised:
        load_autoencoder(entry, CPU)
    assert type(raised.value) is shown


def test_what_diffusers_writes_itself_is_no_warning_and_what_others_write_is(tmp_path):
    """It saves block_out_channels of AutoencoderTiny, and says of it that nobody expects it."""
    entry, said = save("tae", tmp_path), []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    logger = logging.getLogger("diffusers.configuration_utils")
    logger.addHandler(handler)
    try:
        load_autoencoder(entry, CPU)
        assert said == []
        path = tmp_path / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"unheard_of": 1}))
        load_autoencoder(entry, CPU)
    finally:
        logger.removeHandler(handler)
    assert ["unheard_of" in text for text in said] == [True]
