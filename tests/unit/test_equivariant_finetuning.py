"""Fine-tuning towards equivariance: its changes, its objective, its effect; and a decoder tuned alone."""

import copy
from pathlib import Path
from types import SimpleNamespace

import diffusers
import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F

from learnability.autoencoders.encode import encode_dataset
from learnability.autoencoders.fidelity import psnr
from learnability.autoencoders.finetuning.demands import check_finetuning, grids, too_small
from learnability.autoencoders.finetuning.equivariance import UNCHANGED, Change, draw_changes
from learnability.autoencoders.finetuning.parts import select_weights
from learnability.autoencoders.finetuning.tuning import Tuning
from learnability.autoencoders.passes import to_grey_levels
from learnability.diagnostics.equivariance import Equivariance, transforms
from learnability.errors import InputError
from learnability.storage.arrays import open_packed
from learnability.storage.contracts import FOLDS, SAMPLES, read_json, write_json, write_parquet
from learnability.study.cells import resolve_autoencoder
from learnability.study.configuration import read_config
from learnability.study.entries import as_encoder
from learnability.study.refusals import check_equivariance, check_study
from learnability.training.engine import train_classifier
from learnability.training.fold_data import Inputs
from tests.autoencoders import as_input, build, save, write_dataset
from tests.conftest import CHECKOUT
from tests.lights import RESULTS
from tests.pages import files_of_pages
from tests.recipes import LATENT, recipe_of
from tests.unit.test_finetuning import (
    ADVERSARIAL,
    CPU,
    FILES,
    SETTINGS,
    assert_gradients,
    batch,
    finetune,
    flat,
    interrupt,
    narrow,  # noqa: F401 (a fixture)
)

PUBLISHED = {"probability": 0.5, "scales": [0.25, 0.97], "turns": True, "reduced": 0.25}
ALWAYS = PUBLISHED | {"probability": 1.0}
LONG = SETTINGS | {"steps": 100}  # no step of these tests is beyond the last


@pytest.fixture
def dataset(tmp_path) -> Path:
    return write_dataset(tmp_path / "dataset")


def changes(settings: dict, side: int = 256, factor: int = 8, seed: int = 0, steps: int = 2000) -> list:
    return [draw_changes(settings, seed, step, side, factor) for step in range(steps)]


# The changes


def test_the_changes_are_the_published_ones():
    """Half of the steps; a latent of 32 cells gets sides 8 to 31, equally likely; a quarter of the rest is reduced."""
    drawn = changes(PUBLISHED)
    after = [change for first, change in drawn if change != UNCHANGED]
    assert len(after) / len(drawn) == pytest.approx(0.5, abs=0.05)
    assert all(first == UNCHANGED for first, change in drawn if change != UNCHANGED)
    for values, expected in (([c.grid for c in after], range(8, 32)), ([c.turns for c in after], range(4))):
        found, counts = np.unique(values, return_counts=True)
        assert found.tolist() == list(expected)
        assert counts.max() < 2.5 * counts.min()
    reduced = [first for first, change in drawn if change == UNCHANGED and first != UNCHANGED]
    assert len(reduced) / (len(drawn) - len(after)) == pytest.approx(0.25, abs=0.05)
    assert {first.turns for first in reduced} == {0}
    assert {first.grid for first in reduced} == set(range(8, 32))


def test_each_step_draws_its_own_changes_the_same_in_every_session():
    assert changes(PUBLISHED, steps=50) == changes(PUBLISHED, steps=50)
    assert changes(PUBLISHED, steps=50) != changes(PUBLISHED, steps=50, seed=1)
    assert len(set(changes(ALWAYS, steps=50))) > 30


def test_without_turns_there_is_resizing_alone_and_the_reverse():
    assert {change.turns for _, change in changes(ALWAYS | {"turns": False}, steps=50)} == {0}
    assert {change.grid for _, change in changes(ALWAYS | {"scales": None}, steps=50)} == {32}


@pytest.mark.parametrize(
    ("scales", "cells", "expected"),
    [([0.25, 0.97], 64, (16, 62)), ([0.25, 0.97], 32, (8, 31)), ([0.25, 0.97], 7, (2, 7)), ([0.01, 0.1], 8, (1, 1))],
)
def test_scales_are_rounded_to_whole_cells(scales, cells, expected):
    assert grids({"scales": scales}, cells) == expected


def test_images_and_latents_are_changed_alike():
    x = torch.rand(2, 3, 64, 64)
    change = Change(grid=5, factor=8, turns=1)
    assert change.image(x).shape == (2, 3, 40, 40)
    assert change.latent(x[:, :, :8, :8]).shape == (2, 3, 5, 5)
    assert torch.equal(change.image(x), Change(5, 8).image(x).rot90(1, (2, 3)))
    assert change.image(x).min() >= x.min()
    assert change.image(x).max() <= x.max()
    x[:] = torch.linspace(-1, 1, 64)  # the centres of the pixels stay where they are
    centres = 2 * torch.arange(32) + 0.5
    torch.testing.assert_close(Change(4, 8).image(x)[0, 0, 0, 2:-2], (centres / 63 * 2 - 1)[2:-2])


def test_what_is_not_changed_is_handed_through():
    x = torch.rand(1, 3, 16, 16)
    assert UNCHANGED.image(x) is UNCHANGED.latent(x) is Change(2, 8).image(x) is x


# The objective


class Toy(torch.nn.Module):
    """Averages blocks and repeats them; with a `ramp` its latent also says where it lies, which the decoder undoes."""

    def __init__(self, factor: int, ramp: float = 0.0):
        super().__init__()
        self.factor, self.ramp, self.config = factor, ramp, SimpleNamespace(in_channels=3)
        self.weight = torch.nn.Parameter(torch.ones(1))

    def added(self, z):
        return self.ramp * torch.linspace(-1, 1, z.shape[-1])

    def encode(self, x):
        z = F.avg_pool2d(x, self.factor)
        return SimpleNamespace(latents=z + self.added(z))

    def decode(self, z):
        z = self.weight * (z - self.added(z))
        return SimpleNamespace(sample=F.interpolate(z, scale_factor=self.factor, mode="nearest"))


def errors(toy: Toy, x: torch.Tensor, equivariance: dict | None) -> float:
    """The largest mean absolute error of 30 steps that move nothing."""
    settings = LONG | {"lr": 1e-12, "equivariance": equivariance, "factor": toy.factor}
    tuned = Tuning(toy, settings, 0, CPU)
    return max(float(tuned.step(step, x)["absolute_error"]) for step in range(30))


def test_the_term_is_zero_for_an_equivariant_autoencoder():
    blocks = F.interpolate(torch.rand(2, 3, 8, 8), scale_factor=4) * 2 - 1
    assert errors(Toy(4), blocks, ALWAYS | {"scales": None}) < 1e-6  # turns are exact
    assert errors(Toy(1), batch(), ALWAYS) < 1e-6  # a latent with all pixels
    assert errors(Toy(4), batch()[:, :, :1, :1].expand(-1, -1, 64, 64), ALWAYS) < 1e-6  # one colour


def test_the_term_is_not_zero_for_another_that_reconstructs_as_well():
    blocks = F.interpolate(torch.rand(2, 3, 8, 8), scale_factor=4) * 2 - 1
    assert errors(Toy(4, ramp=0.5), blocks, None) < 1e-6
    assert errors(Toy(4, ramp=0.5), blocks, ALWAYS | {"scales": None}) > 0.1


@pytest.mark.parametrize("name", ["sd", "flux2", "tae"])
def test_the_gradient_is_that_of_the_changed_image_against_the_decoded_changed_latent(name):
    tuned, x, change = Tuning(build(name), SETTINGS | {"kl_weight": 0.5}, 0, CPU), batch(), Change(5, 8, 3)
    model = copy.deepcopy(tuned.networks["autoencoder"])
    torch.manual_seed(5)
    tuned.step_autoencoder(x, adversarial=False, change=change)
    torch.manual_seed(5)
    code, kl = model.encode(x), 0
    if name != "tae":
        kl = code.latent_dist.kl().mean()
    z = code.latents if name == "tae" else code.latent_dist.sample()
    small = F.interpolate(x, (40, 40), mode="bilinear", antialias=True).rot90(3, (2, 3))
    z = F.interpolate(z, (5, 5), mode="bilinear", antialias=True).rot90(3, (2, 3))
    ((small - model.decode(z).sample).abs().sum() / 2 + 0.5 * kl).backward()
    assert_gradients(tuned.networks["autoencoder"], model)
    assert float(flat(tuned.networks["autoencoder"].encoder, gradients=True).abs().sum()) > 0


def test_a_reduced_step_is_the_plain_one_on_smaller_images():
    settings = LONG | {"factor": 8, "equivariance": PUBLISHED | {"probability": 0.0, "reduced": 1.0}}
    small, plain = (Tuning(build("tae"), chosen, 0, CPU) for chosen in (settings, LONG))
    first, _ = draw_changes(settings["equivariance"], 0, 7, 64, 8)
    assert 2 <= first.grid <= 8
    assert small.step(7, batch()) == plain.step(7, first.image(batch()))
    assert torch.equal(flat(small.networks), flat(plain.networks))


def test_the_discriminator_judges_changed_images():
    tuned = Tuning(build("tae"), SETTINGS | {"factor": 8, "equivariance": ALWAYS, "adversarial": ADVERSARIAL}, 0, CPU)
    seen = []
    tuned.networks["discriminator"].register_forward_hook(lambda *given: seen.append(given[1][0].shape[-1]))
    tuned.step(5, batch())
    _, change = draw_changes(ALWAYS, 0, 5, 64, 8)
    assert seen == [8 * change.grid] * 2


# The training


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("adversarial", [None, ADVERSARIAL], ids=["plain", "adversarial"])
def test_with_probability_0_every_byte_is_that_of_plain_fine_tuning(tmp_path, dataset, adversarial):
    entry = save("sd", tmp_path / "weights")
    plain = finetune(tmp_path / "plain", entry, dataset, adversarial=adversarial)
    never = {"probability": 0.0, "scales": [0.5, 0.97], "turns": True}
    for name, value in (("none", None), ("never", never)):
        assert finetune(tmp_path / name, entry, dataset, adversarial=adversarial, equivariance=value) == plain
    assert finetune(tmp_path / "all", entry, dataset, adversarial=adversarial, train="all") == plain
    always = never | {"probability": 1.0}
    assert finetune(tmp_path / "always", entry, dataset, adversarial=adversarial, equivariance=always) != plain


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("name", ["sd", "tae"])
def test_killed_between_checkpoints_it_gives_the_bytes_of_one_session(tmp_path, dataset, capsys, name):
    entry = save(name, tmp_path / "weights")
    given = {"adversarial": ADVERSARIAL, "steps": 9, "checkpoint_every": 4}
    given["equivariance"] = PUBLISHED | {"scales": [0.5, 0.97], "reduced": 0.5}
    whole = finetune(tmp_path / "whole", entry, dataset, **given)
    interrupt(tmp_path / "resumed", entry, dataset, step=6, **given)
    capsys.readouterr()
    assert finetune(tmp_path / "resumed", entry, dataset, **given) == whole
    assert "resumed after step 4\n" in capsys.readouterr().out
    assert set(whole) == FILES


def test_packed_weights_are_tuned_on_the_grid_before_packing(tmp_path, dataset):
    """The term changes the 8 x 8 cells of the model, not the 4 x 4 cells of the packed latent."""
    entry = save("flux2", tmp_path / "weights")
    packed = entry | {"layout": "packed", "channels": 128, "factor": 16}
    tuned = [finetune(tmp_path / each["class"] / str(each["factor"]), each, dataset, equivariance=ALWAYS, steps=3)
             for each in (entry, packed)]  # fmt: skip
    assert tuned[0] == tuned[1]
    terms = {"adversarial": ADVERSARIAL, "perceptual": "none", "equivariance": PUBLISHED | {"scales": [0.35, 0.97]}}
    assert too_small(packed | {"finetune": terms}, 64) is None  # 3 of 8 cells are 24 pixels; 1 of 4 would be 16


def equivariance_and_psnr(model: torch.nn.Module, x: torch.Tensor) -> tuple[float, float]:
    """E_T of a quarter turn of the normalised latents of images x, and the mean PSNR of the round trip."""
    with torch.no_grad():
        z = model.encode(x).latent_dist.mode()
        mean, std = z.mean((0, 2, 3), keepdim=True), z.std((0, 2, 3), keepdim=True)
        turn = Equivariance(next(transforms(4, 64)), 4)
        turn.add(x, (z - mean) / std, lambda x: (model.encode(x).latent_dist.mode() - mean) / std, None)
        return turn.encoder(), float(psnr(to_grey_levels(x), to_grey_levels(model.decode(z).sample)).mean())


def test_the_encoder_becomes_more_equivariant_and_its_images_stay(tmp_path):
    """The demo's autoencoder is tuned equally long with and without the term: E_T falls to less than half."""
    folder = CHECKOUT / "workflow/resources/tiny_autoencoders/tiny_medvae"
    x = as_input(open_packed(write_dataset(tmp_path / "dataset", number=12) / "images.npy"))
    found = {"before": equivariance_and_psnr(diffusers.AutoencoderKL.from_pretrained(folder), x)}
    for name, equivariance in (("plain", None), ("equivariant", PUBLISHED)):
        settings = LONG | {"lr": 5e-4, "equivariance": equivariance, "factor": 4}
        tuned = Tuning(diffusers.AutoencoderKL.from_pretrained(folder), settings, 0, CPU)
        torch.manual_seed(0)
        for step in range(60):
            tuned.step(step, x[np.random.default_rng([0, step]).choice(12, 2)])
        found[name] = equivariance_and_psnr(tuned.networks["autoencoder"], x)
    assert found["equivariant"][0] < 0.5 * min(found["plain"][0], found["before"][0])
    assert found["equivariant"][1] > max(25, found["plain"][1] - 3)


def test_a_class_without_a_posterior_is_tuned_without_a_divergence(tmp_path):
    dataset, entry = write_dataset(tmp_path / "dataset", constant=True), save("tae", tmp_path / "weights")
    finetune(tmp_path / "tuned", entry, dataset, steps=60, checkpoint_every=20, lr=3e-3)
    history = pd.read_csv(tmp_path / "tuned" / "history.csv", keep_default_na=False)
    assert (history["kl"] == "n/a").all()
    assert history["absolute_error"].iloc[-1] < 0.7 * history["absolute_error"].iloc[0]


@pytest.mark.usefixtures("narrow")
def test_a_class_without_a_posterior_takes_the_discriminator_at_its_last_convolution():
    tuned = Tuning(build("tae"), SETTINGS | {"adversarial": ADVERSARIAL}, 0, CPU)
    curves = tuned.step(4, batch())
    assert set(curves) == {"absolute_error", "generator_loss", "adversarial_weight"}
    assert 0 < float(curves["adversarial_weight"]) < 1e4


# The decoder alone


@pytest.mark.parametrize("name", ["sd", "flux1", "flux2", "tae"])
def test_a_frozen_encoder_keeps_its_weights_and_the_decoder_gets_others(name):
    tuned = Tuning(select_weights(build(name), "decoder"), SETTINGS | {"factor": 8, "equivariance": ALWAYS}, 0, CPU)
    tuned.step(0, batch())
    before, after = build(name).state_dict(), tuned.networks["autoencoder"].state_dict()
    changed = {key.split(".")[0] for key in before if not torch.equal(before[key], after[key])}
    assert changed == {"decoder", *(["post_quant_conv"] if "post_quant_conv.weight" in before else [])}


def train_on(encoding: Path, dataset: Path, folder: Path) -> dict[str, bytes]:
    """Train a small classifier on latents; return the bytes that must be repeatable."""
    cell = {"dataset": "waves", "autoencoder": "sd", "space": "latent", "recipe": "tried", "fold": 1}
    files = {"channel_sums": encoding / "channel_sums.npy", "autoencoder_card": encoding / "autoencoder.json"}
    inputs = Inputs(array=encoding / "latents.npy", dataset=dataset, folds=dataset / "folds.parquet", **files)
    recipe = recipe_of(LATENT | {"epochs": 2})
    train_classifier(
        recipe=recipe, seed=1, code="code", folder=folder, cell=cell, n_splits=5, inputs=inputs, device=CPU
    )
    return {name: (folder / name).read_bytes() for name in RESULTS}


def test_a_decoder_tuned_alone_leaves_latents_and_their_classifiers_as_they_were(tmp_path):
    dataset, entry = write_dataset(tmp_path / "dataset", number=40), save("sd", tmp_path / "weights")
    samples = pd.read_parquet(dataset / "samples.parquet").assign(label=np.arange(40) // 5 % 2)
    samples["label_name"] = [("a", "b")[label] for label in samples["label"]]
    write_parquet(samples[SAMPLES], dataset / "samples.parquet")
    folds = pd.DataFrame({"sample_id": samples["sample_id"], "fold": np.arange(40) % 5})
    write_parquet(folds[FOLDS], dataset / "folds.parquet")
    card = {"classes": ["a", "b"], "positive": "b", "synthetic": True, "digest_small": "of images_small.npy"}
    write_json(read_json(dataset / "dataset.json") | card, dataset / "dataset.json")
    trained, arrays = {}, {}
    for which in ("base", "decoder", "all"):
        encoder = entry
        if which != "base":
            finetune(tmp_path / which, entry, dataset, train=which)
            tuned = entry | {"finetune": SETTINGS}
            encoder = as_encoder(tuned) | {"folder": str(tmp_path / which)}
        encode_dataset("sd", encoder, dataset, tmp_path / f"{which}_encoding", CPU)
        trained[which] = train_on(tmp_path / f"{which}_encoding", dataset, tmp_path / f"{which}_run")
        arrays[which] = {
            name: (tmp_path / f"{which}_encoding" / f"{name}.npy").read_bytes()
            for name in ("latents", "channel_sums", "reconstructions")
        }
    for name in ("latents", "channel_sums"):
        assert arrays["decoder"][name] == arrays["base"][name] != arrays["all"][name]
    assert arrays["decoder"]["reconstructions"] != arrays["base"]["reconstructions"]
    assert trained["decoder"] == trained["base"] != trained["all"]


# What is refused, and what is not


def test_the_example_of_the_page_is_a_study_and_its_values_are_the_published_ones(tmp_path):
    (tmp_path / "tuned.yaml").write_text(files_of_pages()["tuned.yaml"])
    config = read_config(CHECKOUT / "workflow/studies/ham10000.yaml", tmp_path / "tuned.yaml")
    check_study(config)
    tuned = {name: entry["finetune"] for name, entry in config["autoencoders"].items() if entry.get("base") == "taef1"}
    assert tuned["taef1_eq"] == tuned["taef1_ft"] | {"equivariance": PUBLISHED}
    assert tuned["taef1_decoder"] == tuned["taef1_ft"] | {"train": "decoder"}
    for name in tuned:
        check_finetuning(resolve_autoencoder(config, name), config["image_size"])


def tuned_by(equivariance: dict | None) -> dict:
    return {"autoencoders": {"plain": {}, "mine": {"finetune": {"equivariance": equivariance}}}}


def test_scales_in_the_wrong_order_and_no_change_at_all_are_refused():
    entry = tuned_by(PUBLISHED | {"scales": [0.9, 0.5]})
    with pytest.raises(
        InputError, match=r"mine\.finetune\.equivariance\.scales is .* smallest first, such as \[0\.5, 0"
    ):
        check_equivariance(entry)
    entry = tuned_by(PUBLISHED | {"scales": None, "turns": False})
    with pytest.raises(
        InputError, match=r"mine\.finetune\.equivariance has neither scales nor turns; write one of them"
    ):
        check_equivariance(entry)
    for accepted in (None, PUBLISHED, PUBLISHED | {"scales": None}, PUBLISHED | {"scales": [1, 1], "turns": False}):
        check_equivariance(tuned_by(accepted))


@pytest.mark.parametrize(
    ("terms", "scales", "key"),
    [
        ({"adversarial": ADVERSARIAL, "perceptual": "none"}, [0.25, 0.97], "adversarial"),
        ({"adversarial": ADVERSARIAL, "perceptual": "lpips"}, [0.375, 0.97], None),
        ({"adversarial": None, "perceptual": "lpips"}, [0.125, 0.97], "perceptual"),
        ({"adversarial": None, "perceptual": "none"}, [0.125, 0.97], None),
    ],
)
def test_images_that_become_too_small_are_refused(terms, scales, key):
    entry = {"finetune": terms | {"equivariance": PUBLISHED | {"scales": scales}}, "factor": 8}
    found = too_small(entry, 64)
    assert (found and found[0]) == key
    if found:
        assert f"with which images have {64 * scales[0]:.0f} pixels, or set finetune.{key} to " in found[1]
