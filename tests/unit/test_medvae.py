"""MedVAE from its own checkpoints computes what it computed before the conversion; loading is strict, runs no code."""

import functools
import os
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from skimage.metrics import peak_signal_noise_ratio

from learnability.autoencoders.encode import encode_dataset
from learnability.autoencoders.families.medvae import build_model, load_medvae
from learnability.autoencoders.families.medvae_keys import VARIANTS
from learnability.autoencoders.families.weights import missing_weights, weights_digest
from learnability.autoencoders.finetuning.tuning import finetune_autoencoder
from learnability.autoencoders.interface import load_autoencoder, scale_input
from learnability.errors import InputError
from learnability.storage.arrays import area_average, open_packed
from learnability.storage.contracts import file_digest, read_json
from learnability.study.entries import as_encoder
from tests.autoencoders import medvae_tensors, write_dataset

CPU = torch.device("cpu")
FULL = dict(VARIANTS)
RGB, GREY = "medvae_4_3_2d", "medvae_4_1_2d"


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """A quarter of the channels: a sixteenth of the time."""
    for name, variant in FULL.items():
        monkeypatch.setitem(VARIANTS, name, variant._replace(widths=tuple(width // 4 for width in variant.widths)))


@functools.cache
def built(name: str) -> torch.nn.Module:
    """A random model of a variant, narrow as all here; no test changes it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_model(VARIANTS[name]).eval()


def entry_of(name: str, source) -> dict:
    entry = {"class": "MedVAE", "variant": name, "source": str(source), "role": "family"}
    return entry | {"channels": VARIANTS[name].channels, "factor": VARIANTS[name].factor}


def write(folder, name: str, change=None) -> dict:
    """Write a checkpoint as it is published; returns the entry that names its folder."""
    tensors = medvae_tensors(built(name), VARIANTS[name].lora)
    if change is not None:
        change(tensors)
    folder.mkdir(exist_ok=True)
    torch.save({"state_dict": tensors}, folder / VARIANTS[name].file)
    return entry_of(name, folder)


def image(batch: int = 2) -> torch.Tensor:
    return torch.rand(batch, 3, 32, 32, generator=torch.Generator().manual_seed(2)) * 2 - 1


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_computes_what_its_checkpoint_was_made_from(name, tmp_path):
    entry, theirs, x = write(tmp_path, name), built(name), image()
    tensors = torch.load(tmp_path / VARIANTS[name].file, weights_only=True)["state_dict"]
    levels, lora = len(FULL[name].widths), FULL[name].lora
    assert len(tensors) == {3: 204, 4: 248}[levels] + 8 + lora * 2 * {3: 50, 4: 60}[levels]
    model, path = load_medvae(entry)
    assert path == tmp_path / VARIANTS[name].file
    assert {tensor.dtype for tensor in model.state_dict().values()} == {torch.float32}
    for key, tensor in theirs.state_dict().items():
        torch.testing.assert_close(model.state_dict()[key], tensor, rtol=0, atol=2e-6 if lora else 0)
    ours = load_autoencoder(entry, CPU)
    seen = x if FULL[name].image_channels == 3 else x.mean(1, keepdim=True)
    with torch.inference_mode():
        z = theirs.encode(seen).latent_dist.mean
        torch.testing.assert_close(ours.encode(x), z, rtol=0, atol=1e-4)
        x_hat = ours.decode(z)
        torch.testing.assert_close(x_hat, theirs.decode(z).sample.expand(2, 3, 32, 32), rtol=0, atol=1e-4)
    assert z.shape == (2, ours.channels, 32 // ours.factor, 32 // ours.factor)
    assert (ours.channels, ours.factor, ours.decodes) == (FULL[name].channels, {3: 4, 4: 8}[levels], True)
    assert not ours.model.training


@pytest.mark.parametrize(
    ("name", "parameters"),
    [(GREY, 55_279_755), (RGB, 55_312_063), ("medvae_8_1_2d", 83_607_691), ("medvae_8_4_2d", 83_653_863)],
)
def test_the_models_have_the_published_numbers_of_parameters(name, parameters):
    with torch.device("meta"):
        model = build_model(FULL[name])
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


def test_every_format_of_a_checkpoint_gives_the_same_model(tmp_path):
    entry = write(tmp_path / "published", RGB)
    expected = load_medvae(entry)[0].state_dict()
    tensors = medvae_tensors(built(RGB), lora=True)
    several_gpus = {f"module.{key}": tensor for key, tensor in tensors.items()}
    writers = {
        "bare.bin": lambda path: torch.save(tensors, path),
        "several_gpus.bin": lambda path: torch.save(several_gpus, path),
        "old.ckpt": lambda path: torch.save({"state_dict": tensors}, path, _use_new_zipfile_serialization=False),
        "double.ckpt": lambda path: torch.save({key: tensor.double() for key, tensor in tensors.items()}, path),
        "safe.safetensors": lambda path: save_file(tensors, path),
    }
    for name, writer in writers.items():
        writer(tmp_path / name)
        model, path = load_medvae(entry_of(RGB, tmp_path / name))
        assert path == tmp_path / name
        for key, tensor in model.state_dict().items():
            torch.testing.assert_close(tensor, expected[key], rtol=0, atol=1e-7)
    assert not zipfile.is_zipfile(tmp_path / "old.ckpt")


def test_the_model_does_not_depend_on_the_file_once_it_is_loaded(tmp_path):
    entry = write(tmp_path, GREY)
    model, path = load_medvae(entry)
    path.write_bytes(b"\0" * path.stat().st_size)
    assert torch.equal(model.encoder.conv_in.weight, built(GREY).encoder.conv_in.weight)


def renamed(tensors, before, after):
    tensors[after] = tensors.pop(before)


def narrower(tensors, name):
    tensors[name] = tensors[name][:, 1:]


ATTENTION, BLOCK = "encoder.mid.attn_1", "decoder.up.2.block.0.conv1"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("decoder.conv_out.bias"), r": 1 tensors missing \['decoder.conv_out.bias'\]; give this var"),
        (lambda t: t.update(extra=t["quant_conv.bias"]), r"hold medvae_4_3_2d: 1 tensors unknown \['extra'\]; give"),
        (lambda t: renamed(t, "quant_conv.bias", "b"), r": 1 tensors missing .'quant_conv.bias'\], 1 tensors unknown"),
        (lambda t: narrower(t, "encoder.conv_in.weight"), r": 1 tensors of another shape .'encoder.conv_in.weight"),
        (lambda t: t.pop(f"{ATTENTION}.q.lora_up.weight"), r": 1 tensors missing .'encoder.mid.attn_1.q.lora_up.w"),
        (lambda t: narrower(t, f"{BLOCK}.lora_down.weight"), r": 1 .* another shape .*conv.weight .* \+ .*lora_up"),
        (lambda t: narrower(t, f"{BLOCK}.lora_up.weight"), r": 1 .* another shape .*conv.weight .* \+ .*lora_up"),
        (lambda t: narrower(t, f"{BLOCK}.conv.weight"), r": 1 .* another shape .*conv.weight .* \+ .*lora_up"),
        (lambda t: renamed(t, f"{BLOCK}.conv.weight", f"{BLOCK}.weight"), r": 1 .* missing .*, 1 .* unknown"),
    ],
)  # fmt: skip
def test_every_tensor_must_find_its_match(change, message, tmp_path):
    with pytest.raises(InputError, match=message) as caught:
        load_medvae(write(tmp_path, RGB, change))
    assert str(tmp_path / VARIANTS[RGB].file) in str(caught.value)


@pytest.mark.parametrize(
    ("held", "wanted", "message"),
    [
        ("medvae_8_1_2d", GREY, r"does not hold medvae_4_1_2d: 44 tensors unknown"),
        (GREY, "medvae_8_1_2d", r"44 tensors missing"),
        (GREY, RGB, r"200 tensors missing .*, 10 tensors of another shape .*, 100 tensors unknown"),
        ("medvae_8_4_2d", "medvae_4_4_2d", r"missing .*, .* unknown .*conv.bias"),
    ],
)
def test_the_checkpoint_of_another_variant_is_refused(held, wanted, message, tmp_path):
    write(tmp_path, held)
    with pytest.raises(InputError, match=message):
        load_medvae(entry_of(wanted, tmp_path / VARIANTS[held].file))


class Hostile:
    """If unpickled, it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_pickled_code_is_not_run(zipped, tmp_path):
    entry, trace = write(tmp_path, GREY), str(tmp_path / "trace")
    content = {"state_dict": medvae_tensors(built(GREY), lora=False), "hyper_parameters": Hostile(trace)}
    torch.save(content, tmp_path / VARIANTS[GREY].file, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=r"vae_4x_1c_2D.ckpt: cannot be read as tensors .* save its state dict alone"):
        load_medvae(entry)
    assert not os.path.exists(trace)
    torch.save(built(GREY), tmp_path / VARIANTS[GREY].file)  # a whole module, as MedVAE's fine-tuning leaves one
    with pytest.raises(InputError, match=r"Pickled code is not run"):
        load_medvae(entry)


@pytest.mark.parametrize("kept", [0, 5000, -5000])
def test_an_incomplete_file_is_refused(kept, tmp_path):
    entry, path = write(tmp_path, GREY), tmp_path / VARIANTS[GREY].file
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"vae_4x_1c_2D.ckpt: cannot be read as tensors .* fetch it again"):
        load_medvae(entry)
    save_file(medvae_tensors(built(GREY), lora=False), tmp_path / "a.safetensors")
    (tmp_path / "a.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes()[:kept])
    with pytest.raises(InputError, match=r"a.safetensors: cannot be read as tensors"):
        load_medvae(entry_of(GREY, tmp_path / "a.safetensors"))


@pytest.mark.parametrize("content", [torch.zeros(2), {"state_dict": [1]}, {"epoch": 3, "weights": {}}, {}])
def test_what_is_no_state_dict_is_refused(content, tmp_path):
    torch.save(content, tmp_path / "a.ckpt")
    with pytest.raises(
        InputError, match=r"a.ckpt: (holds no state dict|does not hold medvae_4_1_2d: 204 tensors missing)"
    ):
        load_medvae(entry_of(GREY, tmp_path / "a.ckpt"))


def test_stage_2_follows_its_formula_and_cannot_be_decoded(tmp_path):
    entry, x = write(tmp_path, RGB), image()
    t = medvae_tensors(built(RGB), lora=True)
    stage_1, stage_2 = (load_autoencoder(entry | {"latent_stage": stage}, CPU) for stage in (1, 2))
    with torch.inference_mode():
        z = stage_1.encode(x)
        y = F.relu(F.conv2d(z, t["channel_ds.0.weight"], t["channel_ds.0.bias"]))
        y = F.relu(F.conv2d(y, t["channel_ds.2.weight"], t["channel_ds.2.bias"], padding=1))
        y = F.conv2d(y, t["channel_ds.4.weight"], t["channel_ds.4.bias"])
        expected = F.conv2d(y + z, t["channel_proj.weight"], t["channel_proj.bias"])
        torch.testing.assert_close(stage_2.encode(x), expected, rtol=0, atol=1e-5)
    assert (stage_1.decodes, stage_2.decodes) == (True, False)
    assert stage_2.provenance["parameters"] - stage_1.provenance["parameters"] == 37_391
    with pytest.raises(InputError, match="latent_stage 2 has no decoder: use it in latent space only, or take"):
        stage_2.decode(z)


@pytest.mark.parametrize("gone", ["channel_ds.2.bias", "channel_proj.weight"])
def test_stage_2_needs_its_layers_and_stage_1_does_not(gone, tmp_path):
    entry = write(tmp_path, RGB, lambda tensors: tensors.pop(gone))
    load_autoencoder(entry, CPU)
    with pytest.raises(InputError, match=rf"(?s)stage-2 layers do not fit .*{gone}.*take latent_stage 1"):
        load_autoencoder(entry | {"latent_stage": 2}, CPU)


def test_checkpoints_are_found_where_the_hub_client_or_a_person_puts_them(tmp_path, monkeypatch):
    entry = write(tmp_path, RGB)
    file = VARIANTS[RGB].file
    (tmp_path / "model_weights").mkdir()
    (tmp_path / file).rename(tmp_path / "model_weights" / file)
    monkeypatch.setenv("MEDVAE_WEIGHTS", str(tmp_path))
    for source, subfolder in (("${MEDVAE_WEIGHTS}", None), ("$MEDVAE_WEIGHTS", "model_weights")):
        found = load_autoencoder(entry | {"source": source, "subfolder": subfolder}, CPU)
        assert found.provenance["source"] == source
        assert found.provenance["weights_digest"] == file_digest(tmp_path / "model_weights" / file)
    assert missing_weights(entry | {"source": f"{tmp_path}/model_weights/{file}"}) is None


def test_weights_that_are_not_there_are_named_with_how_to_fetch_them(tmp_path, monkeypatch):
    entry = entry_of(RGB, tmp_path)
    command = f"hf download stanfordmimi/MedVAE model_weights/vae_4x_3c_2D.ckpt --local-dir {tmp_path}"
    instead = "or let source be a checkpoint of medvae_4_3_2d itself"
    assert missing_weights(entry) == f"{tmp_path} has no vae_4x_3c_2D.ckpt: fetch it with `{command}`, {instead}"
    with pytest.raises(InputError, match=r"has no vae_4x_3c_2D.ckpt: fetch it with"):
        load_autoencoder(entry, CPU)
    monkeypatch.delenv("MEDVAE_WEIGHTS", raising=False)
    message = "set the environment variable MEDVAE_WEIGHTS to the folder of the weights (vae_4x_3c_2D.ckpt)"
    assert missing_weights(entry | {"source": "${MEDVAE_WEIGHTS}"}) == message


@pytest.mark.parametrize("change", [{"channels": 4}, {"factor": 8}])
def test_a_layout_that_the_variant_does_not_have_is_found_before_its_weights(change, tmp_path):
    message = missing_weights(entry_of(RGB, tmp_path) | change)
    assert message.startswith("medvae_4_3_2d has channels 3 and factor 4, not ")


def test_an_encoding_says_which_variant_stage_and_file_it_came_from(tmp_path):
    dataset = write_dataset(tmp_path / "dataset")
    entry = write(tmp_path, RGB)
    encode_dataset("medvae", entry, dataset, tmp_path / "encoding", CPU)
    card = read_json(tmp_path / "encoding" / "autoencoder.json")
    expected = {"class": "MedVAE", "variant": RGB, "latent_stage": 1, "input": "fixed", "channels": 3, "factor": 4}
    expected |= {
        "source": f"local weights {tmp_path.name}",
        "weights_digest": file_digest(tmp_path / VARIANTS[RGB].file),
    }
    expected |= {"parameters": sum(parameter.numel() for parameter in built(RGB).parameters())}
    assert {key: card[key] for key in expected} == expected


def test_minmax_uses_the_full_range_of_every_image_and_channel():
    x = torch.tensor([[[[10, 20], [30, 20]], [[0, 255], [1, 2]], [[7, 7], [7, 7]]]], dtype=torch.uint8)  # (1, 3, 2, 2)
    expected = torch.tensor([[[-1, 0], [1, 0]], [[-1, 1], [2 / 255 - 1, 4 / 255 - 1]], [[-1, -1], [-1, -1]]])
    torch.testing.assert_close(scale_input(x, {"input": "minmax"})[0], expected.float())
    both = torch.cat([x, torch.full_like(x, 200)])
    assert torch.equal(scale_input(both, {"input": "minmax"})[:1], scale_input(x, {"input": "minmax"}))
    assert torch.equal(scale_input(x, {}), x.float() / 127.5 - 1)


def test_fidelity_with_minmax_is_that_of_the_scaled_image(tmp_path):
    dataset, entry = write_dataset(tmp_path / "dataset"), write(tmp_path, RGB) | {"input": "minmax"}
    encode_dataset("medvae", entry, dataset, tmp_path / "encoding", CPU)
    images = np.array(open_packed(dataset / "images.npy"), dtype=np.float64)
    low, high = images.min((1, 2), keepdims=True), images.max((1, 2), keepdims=True)
    scaled = (images - low) / (high - low)
    reference = np.round(scaled * 255).astype(np.uint8)
    x = torch.from_numpy(scaled * 2 - 1).float().permute(0, 3, 1, 2)
    with torch.inference_mode():
        z = built(RGB).encode(x).latent_dist.mean
        stored = open_packed(tmp_path / "encoding" / "latents.npy")
        np.testing.assert_allclose(stored, z.numpy(), rtol=2e-3, atol=1e-4)
        x_hat = built(RGB).decode(torch.from_numpy(stored.astype(np.float32))).sample.clamp(-1, 1)
    x_hat = ((x_hat + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    expected = [peak_signal_noise_ratio(*pair) for pair in zip(reference, x_hat, strict=True)]
    fidelity = pd.read_parquet(tmp_path / "encoding" / "fidelity.parquet")
    np.testing.assert_allclose(fidelity["psnr"], expected, atol=1e-3)
    small = open_packed(tmp_path / "encoding" / "reconstructions.npy").astype(int)
    assert np.abs(small - area_average(x_hat, 32)).max() <= 1
    assert read_json(tmp_path / "encoding" / "autoencoder.json")["input"] == "minmax"


@pytest.mark.parametrize("name", [RGB, GREY])
def test_a_fine_tuned_medvae_is_encoded_from_the_folder_that_it_was_saved_to(name, tmp_path):
    dataset, entry = write_dataset(tmp_path / "dataset"), write(tmp_path, name)
    settings = {"steps": 2, "batch_size": 2, "lr": 1e-4, "kl_weight": 1e-6, "checkpoint_every": 1}
    settings |= {"perceptual": "none", "adversarial": None}
    tuned = entry | {"finetune": settings, "input": "minmax"}
    finetune_autoencoder(tuned, dataset, 0, "code", tmp_path / "tuned", CPU)
    tuned = as_encoder(tuned) | {"folder": str(tmp_path / "tuned")}
    encode_dataset("tuned", tuned, dataset, tmp_path / "encoding", CPU)
    card = read_json(tmp_path / "encoding" / "autoencoder.json")
    assert (card["class"], card["channels"], card["factor"]) == ("AutoencoderKL", entry["channels"], 4)
    before, after = load_autoencoder(entry, CPU), load_autoencoder(tuned, CPU)
    assert before.provenance["parameters"] == after.provenance["parameters"] == card["parameters"]
    assert after.decode(after.encode(image())).shape == (2, 3, 32, 32)
    assert not torch.equal(before.model.decoder.conv_in.weight, after.model.decoder.conv_in.weight)


def test_the_digest_is_of_the_file_that_is_read(tmp_path):
    entry = write(tmp_path, GREY)
    assert weights_digest(entry) == file_digest(tmp_path / VARIANTS[GREY].file)
    other = tmp_path / "other.ckpt"
    torch.save(medvae_tensors(built(GREY), lora=False), other)
    assert weights_digest(entry | {"source": str(other)}) == file_digest(other)
