"""A frozen first part of a decoder before a classifier: its blocks and its cost; nothing in it is trained."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from learnability.autoencoders.decoder_blocks import cost_of_blocks, cost_of_decoder, decoder_steps, first_steps
from learnability.autoencoders.decoding import FrozenPart
from learnability.autoencoders.families.architectures import shapes_of_blocks
from learnability.autoencoders.families.medvae import build_model
from learnability.autoencoders.families.medvae_keys import VARIANTS
from learnability.autoencoders.interface import load_autoencoder
from learnability.classifiers.saved import load_classifier
from learnability.errors import InputError
from learnability.planning import networks
from learnability.storage.channel_sums import channel_sums
from learnability.storage.contracts import read_json, write_json
from learnability.training import engine as training
from learnability.training.fold_data import sums_of_tensor
from tests.autoencoders import build, save
from tests.lights import TRAIN, inputs, interrupt, train, write_study
from tests.recipes import LATENT, recipe_of

CPU = torch.device("cpu")
UPS = ["up_1", "up_2", "up_3", "up_4"]  # of four levels; AutoencoderTiny upsamples three times


def of_medvae() -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_model(VARIANTS["medvae_8_1_2d"]).eval()


def latents(model: torch.nn.Module) -> torch.Tensor:
    return torch.randn(2, model.config.latent_channels, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ["sd", "flux1", "flux2", "tae", "grey", "medvae"])
@torch.inference_mode()
def test_the_blocks_one_after_the_other_are_the_decoder_to_the_bit(name):
    model = of_medvae() if name == "medvae" else build(name)
    steps, x = decoder_steps(model), latents(model)
    decoded, sides = model.decode(x).sample, {}
    for block, step in steps.items():
        x = step(x)
        sides[block] = x.shape[-1]
    assert torch.equal(x, decoded)
    ups = UPS[: sum(block.startswith("up_") for block in steps)]
    assert list(steps) == ["conv_in", "mid", *ups, "all"]
    assert sides["conv_in"] == sides["mid"] == 8
    assert [sides[block] for block in ups[:3]] == [16, 32, 64][: len(ups)]
    assert sides["all"] == decoded.shape[-1]


@pytest.mark.parametrize("name", ["sd", "flux1", "flux2", "tae", "grey", "medvae"])
def test_the_grid_behind_a_block_is_known_from_the_configuration_alone(name, tmp_path):
    entry = {"class": "MedVAE", "variant": "medvae_8_1_2d", "source": "stanfordmimi/MedVAE"}
    model, entry = (of_medvae(), entry) if name == "medvae" else (build(name), save(name, tmp_path))
    counted = cost_of_blocks(model.to("meta"), model.config.latent_channels, 8)
    assert shapes_of_blocks(entry, 64) == {block: shape for block, (_, shape) in counted.items()}
    if name != "medvae":
        assert shapes_of_blocks(entry | {"source": "somebody/unknown"}, 64) is None


@torch.inference_mode()
def test_the_first_steps_are_what_the_modules_of_diffusers_give(tmp_path):
    entry = save("sd", tmp_path)
    autoencoder = load_autoencoder(entry, CPU)
    model = autoencoder.model
    z = latents(model).contiguous(
        memory_format=torch.channels_last
    )  # as it is decoded: another layout, another last bit
    expected = model.decoder.up_blocks[0](model.decoder.mid_block(model.decoder.conv_in(model.post_quant_conv(z))))
    assert torch.equal(FrozenPart("mine", autoencoder, "up_1", 64, 64)(z, ["a", "b"]), expected)
    pooled = FrozenPart("mine", autoencoder, "up_3", 64, 16)(z, ["a", "b"])
    assert pooled.shape[-2:] == (16, 16)
    whole = FrozenPart("mine", autoencoder, "all", 64, 64)(z, ["a", "b"])
    assert torch.equal(whole, autoencoder.decode(z))
    assert not (whole * 127.5).frac().abs().max() < 1e-3  # before it is rounded


@pytest.mark.parametrize("name", ["sd", "tae"])
def test_the_price_of_the_first_convolution_is_a_formula(name, tmp_path):
    autoencoder = load_autoencoder(save(name, tmp_path), CPU)
    costs = cost_of_decoder(autoencoder, 64)
    out = {"sd": 16, "tae": 8}[name]
    by_hand = 2 * 64 * 9 * 4 * out  # 8 x 8 positions, 3 x 3 kernel, 4 channels in
    by_hand += 2 * 64 * 4 * 4 if name == "sd" else 0  # post_quant_conv, 1 x 1
    assert costs["conv_in"] == (by_hand, (out, 8, 8))
    assert [cost for cost, _ in costs.values()] == sorted(cost for cost, _ in costs.values())
    part = FrozenPart("mine", autoencoder, "conv_in", 64, 64)
    assert part.price == {"decoder_blocks_gflop": by_hand / 1e9, "decoder_gflop": costs["all"][0] / 1e9}


def test_a_plan_counts_what_the_run_counts(tmp_path):
    entry = save("flux2", tmp_path)
    config = {"autoencoders": {"mine": entry}, "image_size": 64, "classifier_size": 32}
    costs = cost_of_decoder(load_autoencoder(entry, CPU), 64)
    assert networks.decoder_part(config, "mine", "mid") == (costs["mid"][0], 16, 8)
    assert networks.decoder_part(config, "mine", "all") == (costs["all"][0], 3, 32)  # averaged to classifier_size
    assert costs["all"][0] == networks.autoencoder_operations(entry, 64)[1]
    assert networks.decoder_part(config, "mine", "up_9") is None
    assert networks.decoder_part({**config, "autoencoders": {"mine": entry | {"source": "a/b"}}}, "mine", "mid") is None


def test_latents_that_are_packed_are_priced_as_the_decoder_takes_them(tmp_path):
    entry = save("flux2", tmp_path)
    packed = load_autoencoder(entry | {"layout": "packed", "channels": 128, "factor": 16}, CPU)
    assert cost_of_decoder(packed, 64) == cost_of_decoder(load_autoencoder(entry, CPU), 64)
    assert FrozenPart("mine", packed, "mid", 64, 64)(torch.zeros(1, 128, 4, 4), ["a"]).shape == (1, 16, 8, 8)


def test_controls_own_classes_and_blocks_that_are_not_there_are_refused_by_name(tmp_path):
    control = load_autoencoder({"class": "pixel_unshuffle", "channels": 192, "factor": 8, "role": "control"}, CPU)
    with pytest.raises(InputError, match="autoencoder mine has no decoder whose blocks are known"):
        first_steps("mine", control, "mid")
    other = load_autoencoder(save("vq", tmp_path / "vq"), CPU)
    with pytest.raises(InputError, match="autoencoder mine has no decoder whose blocks are known"):
        first_steps("mine", other, "mid")
    with pytest.raises(InputError, match="is 'up_7'; the decoder of mine has conv_in, mid, up_1, up_2, up_3, all"):
        first_steps("mine", load_autoencoder(save("tae", tmp_path / "tae"), CPU), "up_7")


# ---- Trainings behind it ----

BEHIND = LATENT | {"decoder_blocks": "up_1", "epochs": 3}


@pytest.fixture
def frozen(tmp_path, one_thread):
    """A study of 100 images whose latents have the four channels of this decoder, and its first blocks."""
    autoencoder = load_autoencoder(save("sd", tmp_path / "sd"), CPU)
    return write_study(tmp_path), FrozenPart("grey", autoencoder, "up_1", 64, 64)


def test_a_training_normalises_by_its_training_rows_and_leaves_the_decoder_as_it_was(frozen):
    study, part = frozen
    weights = part.autoencoder.model.state_dict()
    before = {key: value.clone() for key, value in weights.items()}
    train(study, "run", BEHIND, decode=part)
    assert all(torch.equal(before[key], value) for key, value in weights.items())
    assert all(p.grad is None and not p.requires_grad for p in part.autoencoder.model.parameters())
    described, measured = read_json(study / "run/model.json"), read_json(study / "run/metrics.json")
    x = part(torch.from_numpy(np.load(study / "latents.npy")[TRAIN]), TRAIN).double()
    assert (described["decoder_blocks"], described["in_channels"], described["grid"]) == ("up_1", 16, [16, 16])
    np.testing.assert_allclose(described["mean"], x.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(described["std"], x.std((0, 2, 3), correction=0) / 0.5, rtol=1e-4)
    assert described["trained_by"]["decoder_blocks"] == "up_1"
    assert measured["decoder_blocks_gflop"] == part.price["decoder_blocks_gflop"] > 0


def test_no_row_outside_training_decides_the_moments(frozen):
    study, part = frozen
    asked = []

    def noted(z, ids):
        asked.extend(ids)
        return part(z, ids)

    noted.price = part.price
    given = inputs(study, BEHIND)
    given["inputs"] = replace(given["inputs"], decode=noted)
    data = training.load_fold(**given)
    assert asked == [f"image{i:03d}" for i in TRAIN]
    assert not data.sums[np.setdiff1d(np.arange(100), TRAIN)].any()
    x = torch.cat([*data.rows.batches(np.array(TRAIN), 32)])
    assert np.array_equal(data.sums[TRAIN], channel_sums(x.numpy()))
    np.testing.assert_allclose(sums_of_tensor(x), data.sums[TRAIN], rtol=1e-12)  # as on a GPU


def test_a_training_that_was_stopped_ends_with_the_same_bytes(frozen):
    study, part = frozen
    once = train(study, "once", BEHIND, decode=part)
    interrupt(study, "twice", BEHIND, epoch=2, decode=part)
    assert train(study, "twice", BEHIND, decode=part) == once


def test_a_training_goes_on_where_a_decoder_gives_other_last_bits_and_not_behind_another(frozen):
    """GPUs of two models round differently; a decoder of other weights may have the same latents."""
    study, part = frozen

    def rounded(z, ids):
        return part(z, ids) * (1 + 2e-7)

    rounded.price = part.price
    train(study, "here", BEHIND | {"epochs": 1}, decode=part)
    train(study, "there", BEHIND | {"epochs": 1}, decode=rounded)
    here, there = (read_json(study / name / "model.json") for name in ("here", "there"))
    interrupt(study, "run", BEHIND, epoch=2, decode=part)
    shutil.copytree(study / "run", study / "other")
    with pytest.MonkeyPatch.context() as patch:
        epochs = noted_epochs(patch)
        train(study, "run", BEHIND, decode=rounded)
        assert epochs == [2, 3]
        moments = {key: np.float32(read_json(study / "run/model.json")[key]).tolist() for key in ("mean", "std")}
        assert moments == {key: np.float32(here[key]).tolist() for key in moments}
        assert moments != {key: np.float32(there[key]).tolist() for key in moments}
        epochs.clear()
        write_json(read_json(study / "autoencoder.json") | {"weights_digest": "another"}, study / "autoencoder.json")
        train(study, "other", BEHIND, decode=part)
        assert epochs == [1, 2, 3]


def noted_epochs(patch: pytest.MonkeyPatch) -> list[int]:
    """The epochs that are trained from now on."""
    whole, found = training.train_epoch, []

    def noted(model, data, recipe, seed, epoch, *rest):
        found.append(epoch)
        return whole(model, data, recipe, seed, epoch, *rest)

    patch.setattr(training, "train_epoch", noted)
    return found


def test_the_trained_classifier_says_what_stands_in_front_and_is_not_opened_without_it(frozen):
    study, part = frozen
    train(study, "run", BEHIND | {"epochs": 1}, decode=part)
    with pytest.raises(
        InputError, match="reads no latents but what the decoder of grey makes of them up to its block up_1"
    ):
        load_classifier(study / "run")


def test_features_that_are_no_numbers_stop_the_training(frozen):
    study, part = frozen
    with pytest.raises(InputError, match="first blocks make of the training rows has NaN or infinity"):
        train(study, "run", BEHIND, decode=lambda z, ids: part(z, ids) / 0)


def test_recipes_without_the_key_are_recorded_as_they_were():
    assert recipe_of(LATENT).recorded() == LATENT
    assert recipe_of(BEHIND).recorded() == BEHIND
    assert "decoder_blocks" not in recipe_of(LATENT).values()
