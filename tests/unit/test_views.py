"""Turned copies of the images in a training: which are drawn, and that nothing else changes."""

import json

import numpy as np
import pytest
import torch

from learnability import registry
from learnability.autoencoders.symmetries import codes_of_copies, turn
from learnability.errors import InputError
from learnability.storage import batches
from learnability.storage.arrays import PackedWriter, area_average, open_packed
from learnability.storage.batches import Rows, Stacked
from learnability.storage.contracts import read_json, write_json
from learnability.study.paths import files_of_run
from learnability.study.recipes import check_recipe
from learnability.study.search_space import searchable
from learnability.training import views
from learnability.training.fold_data import load_fold
from tests.lights import TRAIN, inputs, interrupt, train, write_study
from tests.published import message_of, published
from tests.recipes import DISTILL, IMAGE, LATENT, recipe_of
from tests.unit.test_stopped_training import stop

CPU = torch.device("cpu")
K = 3
PIXELS = IMAGE | {"augment": [], "views": {"copies": K}}
LATENTS = LATENT | {"views": {"copies": K}}


@pytest.fixture
def study(tmp_path, one_thread):
    return write_study(tmp_path)


def store(study, copies: np.ndarray, number: int = K, **changes):
    """Write copies (100 · K, C, h, w) of the study's latents as encode_views does; returns their file."""
    path = study / f"views{number}/latents.npy"
    with PackedWriter(path, copies.shape[1:], copies.dtype.name) as writer:
        writer.write(copies)
    card = {"dataset_digest": "of images.npy", "copies": number, "digest_latents": writer.digest}
    write_json(card | changes, path.with_name("autoencoder.json"))
    return path


def latents(study) -> np.ndarray:
    return np.load(study / "latents.npy")


# ---- Symmetries ----


def test_the_codes_are_the_eight_symmetries_of_the_square():
    x = torch.arange(2 * 5 * 5).reshape(1, 2, 5, 5)
    by_hand = [flipped.rot90(turns, (2, 3)) for flipped in (x, x.flip(3)) for turns in range(4)]
    found = [turn(x, torch.tensor([code])) for code in range(8)]
    assert torch.equal(found[0], x)
    assert torch.equal(found[1], x.flip(3))
    assert torch.equal(found[2], x.flip(2))
    assert torch.equal(found[4], x.mT)
    assert {tuple(y.flatten().tolist()) for y in found} == {tuple(y.flatten().tolist()) for y in by_hand}
    mixed = turn(x.expand(8, -1, -1, -1), torch.arange(8))  # each image has its own
    assert torch.equal(mixed, torch.cat(found))


def test_averaging_a_turned_image_turns_its_average_to_the_bit():
    images = np.random.default_rng(0).integers(0, 256, (8, 12, 12, 3), dtype=np.uint8)

    def turned(rows: np.ndarray) -> np.ndarray:
        return turn(torch.from_numpy(rows).permute(0, 3, 1, 2), torch.arange(8)).permute(0, 2, 3, 1).numpy()

    np.testing.assert_array_equal(area_average(turned(images), 4), turned(area_average(images, 4)))


def test_the_copies_of_an_image_differ_from_it_and_each_other_and_follow_from_its_name():
    names = [f"image{i}" for i in range(200)]
    codes = codes_of_copies(names, 4)
    assert all(len({*row}) == 4 and 0 not in row for row in codes)
    assert np.bincount(codes.ravel(), minlength=8)[1:].min() > 80  # of 114 on average
    np.testing.assert_array_equal(codes_of_copies(names[50:60], 2), codes[50:60, :2])
    assert {*codes_of_copies(["a"], 7)[0]} == {*range(1, 8)}


# ---- Which one is drawn ----


def test_each_of_an_image_and_its_copies_is_drawn_equally_often_and_anew_in_every_epoch():
    rows = np.random.default_rng(0).permutation(1000)[:600]
    drawn = [views.draw_views(rows, 1000, K, seed=5, epoch=epoch) for epoch in range(1, 21)]
    own = np.concatenate([np.where(d < 1000, d, (d - 1000) // K) for d in drawn])
    np.testing.assert_array_equal(own, np.tile(rows, 20))
    which = np.concatenate([np.where(d < 1000, 0, (d - 1000) % K + 1) for d in drawn])
    shares = np.bincount(which) / len(which)
    assert shares == pytest.approx([0.25] * 4, abs=0.02)  # 12,000 draws: four standard errors are .016
    assert not (drawn[0] == drawn[1]).all()
    np.testing.assert_array_equal(views.draw_views(rows, 1000, K, 5, 1), drawn[0])
    assert not (views.draw_views(rows, 1000, K, 6, 1) == drawn[0]).all()


def rows_asked(study, folder: str, recipe: dict, **files) -> list[np.ndarray]:
    """The rows that a training asks for, in the order in which it does."""
    asked, whole = [], {kind: kind.batches for kind in (Rows, views.TurnedRows)}
    outer = views.TurnedRows if "views" in recipe and recipe["model"] == "resnet18" else Rows
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outer, "batches", lambda *given: asked.append(given[1]) or whole[outer](*given))
        train(study, folder, recipe, **files)
    return asked


def test_every_space_draws_the_same_and_only_to_train(study):
    stored = store(study, np.repeat(latents(study), K, axis=0))
    short = {"epochs": 2}
    latent = rows_asked(study, "latent", LATENTS | short, views=stored)
    image = rows_asked(study, "image", PIXELS | short)
    assert len(latent) > 4
    for ours, theirs in zip(latent[:4], image[:4], strict=True):  # an epoch's rows and its validation, twice
        np.testing.assert_array_equal(ours, theirs)
    for trained, validated in (latent[:2], latent[2:4]):
        assert {*np.where(trained < 100, trained, (trained - 100) // K)} == {*TRAIN}
        assert (trained >= 100).any()
        assert validated.max() < 100
    assert max(rows.max() for rows in latent[4:]) < 100  # the predictions


# ---- The truth: with copies that are no copies, nothing changes ----


def test_with_copies_that_are_the_latents_themselves_the_training_is_the_one_without(study):
    stored = store(study, np.repeat(latents(study), K, axis=0))
    plain = train(study, "plain", LATENT)
    assert train(study, "views", LATENTS, views=stored) == plain
    without, within = (read_json(study / name / "model.json") for name in ("plain", "views"))
    assert within.pop("trained_by") == without.pop("trained_by") | {"views": {"copies": K}}
    assert within == without  # the moments are those of the images alone


def test_with_images_that_are_not_turned_the_training_is_the_one_without(study, monkeypatch):
    plain = train(study, "plain", IMAGE | {"augment": []})
    turned = train(study, "turned", PIXELS)
    assert turned["model.safetensors"] != plain["model.safetensors"]
    monkeypatch.setattr(views, "codes_of_copies", lambda ids, copies: np.zeros((len(ids), copies), int))
    assert train(study, "views", PIXELS) == plain


def test_copies_that_are_other_latents_train_another_classifier(study):
    plain = train(study, "plain", LATENT)
    stored = store(study, np.repeat(latents(study)[..., ::-1], K, axis=0))
    assert train(study, "views", LATENTS, views=stored)["model.safetensors"] != plain["model.safetensors"]


def test_turned_on_the_device_or_stored_turned_is_the_same(study):
    """What image space draws, against the copies as they would lie in a file."""
    given = inputs(study, PIXELS)
    data = load_fold(given["cell"], 5, given["inputs"], CPU)
    turned = views.with_turned_images(data, K).rows
    images, codes = np.load(study / "images_small.npy"), codes_of_copies(data.samples["sample_id"], K)
    copies = turn(torch.from_numpy(images.repeat(K, axis=0)).permute(0, 3, 1, 2), torch.from_numpy(codes.reshape(-1)))
    whole = np.concatenate([images, copies.permute(0, 2, 3, 1).numpy()])
    order = np.random.default_rng(0).permutation(100 * (1 + K))
    got = torch.cat(list(turned.batches(order, 16))).permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(got, whole[order])
    assert turned.held_bytes == images.nbytes  # nothing more lies in memory


# ---- Stopped, streamed ----


@pytest.mark.parametrize("recipe", [PIXELS, LATENTS], ids=["image", "latent"])
def test_a_training_that_is_stopped_within_an_epoch_goes_on_with_the_same_views(study, recipe, capsys):
    copies = np.repeat(latents(study), K, axis=0)
    copies[1::2] = copies[1::2, :, ::-1]
    files = {"views": store(study, copies)} if recipe is LATENTS else {}
    whole = train(study, "whole", recipe, **files)
    interrupt(study, "between", recipe, epoch=3, **files)
    assert train(study, "between", recipe, **files) == whole
    stop(study, recipe, call=6, **files)
    capsys.readouterr()
    assert train(study, "stopped", recipe, **files) == whole
    assert capsys.readouterr().out.startswith("resumed in epoch 2, after 32 training rows\n")


def test_copies_that_are_read_from_the_disk_train_the_same(study, monkeypatch):
    stored = store(study, np.repeat(latents(study)[..., ::-1], K, axis=0))
    in_memory = train(study, "memory", LATENTS, views=stored)
    monkeypatch.setattr(batches, "free_memory", lambda device: 0)
    assert train(study, "disk", LATENTS, views=stored) == in_memory


@pytest.mark.parametrize("way", ["resident", "in memory", "on the disk"])
def test_rows_of_two_files_come_as_if_they_were_of_one(tmp_path, monkeypatch, way):
    parts = [np.random.default_rng(i).normal(size=(n, 4, 3, 3)).astype(np.float16) for i, n in enumerate((20, 60))]
    for i, part in enumerate(parts):
        np.save(tmp_path / f"{i}.npy", part)
    whole, stacked = np.concatenate(parts), Stacked(*(open_packed(tmp_path / f"{i}.npy") for i in range(2)))
    monkeypatch.setattr(batches, "free_memory", lambda device: 0 if way == "on the disk" else 10**9)
    monkeypatch.setattr(batches, "BLOCK", 7 * whole[0].nbytes)
    rows = Rows(stacked, CPU, channels_last=False)
    if way == "resident":
        rows.resident = batches.on_device(stacked, CPU)
    assert isinstance(rows.array, np.ndarray) == (way != "on the disk")
    order = np.random.default_rng(2).permutation(80)
    got = list(rows.batches(order, 16))
    np.testing.assert_array_equal(torch.cat(got).numpy(), whole[order])
    assert rows.held_bytes == (0 if way == "on the disk" else whole.nbytes)
    with pytest.raises(IndexError, match="expected 0 to 79"):
        next(rows.batches(np.array([80]), 1))


# ---- What is refused, and what a recipe asks for ----


def test_copies_by_other_weights_of_other_images_or_cut_short_are_refused(study):
    copies = np.repeat(latents(study), K, axis=0)
    with pytest.raises(InputError, match=r"views3/latents\.npy: made with another weights_digest than .*/latents\.npy"):
        train(study, "run", LATENTS, views=store(study, copies, weights_digest="another"))
    with pytest.raises(InputError, match=r"made with another dataset_digest than"):
        train(study, "run", LATENTS, views=store(study, copies, dataset_digest="another"))
    with pytest.raises(InputError, match=r"latents\.npy: 299 rows for 3 copies of 100 images; delete it and run again"):
        train(study, "run", LATENTS, views=store(study, copies[1:]))
    with pytest.raises(InputError, match=r"latents\.npy: damaged, not what digest_latents of autoencoder\.json says"):
        train(study, "run", LATENTS, views=store(study, copies, digest_latents="another"))


def test_other_copies_begin_a_training_anew(study, capsys):
    copies = np.repeat(latents(study), K, axis=0)
    interrupt(study, "run", LATENTS, epoch=3, views=store(study, copies))
    train(study, "run", LATENTS, views=store(study, copies[:, ::-1].copy()))
    assert "checkpoint.safetensors: left by another recipe, code, data, seed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"augment": ["flip"]}, r"goes without augment: views are the flips and turns.*; write `augment: \[\]`"),
        ({"distill": DISTILL}, "goes without distill: a teacher's logits are of the images alone"),
        ({"decoder_blocks": "mid", "spaces": ["latent"]}, "goes without decoder_blocks"),
        ({"reconstructions": "on_the_fly", "spaces": ["reconstruction"]}, "write `reconstructions: cached`"),
        ({"search": {"space": {"views.copies": {"choices": [1, 2]}}, "trials": 2, "workers": 1, "scope": "fold"},
          "spaces": ["latent"]}, "views.copies: not a value of the recipe that can be searched"),
    ],
)  # fmt: skip
def test_what_does_not_go_with_views_is_refused_by_name(changes, message):
    config = published(recipes={"mine": {"base": "views"} | changes})
    assert message_of(check_recipe, config, "mine").startswith("recipes.mine.")
    with pytest.raises(InputError, match=message):
        check_recipe(config, "mine")


def test_noise_a_share_and_a_search_of_other_values_go_with_views():
    noise = {"noise": {"family": "vp", "draw": "uniform"}, "film": True}
    search = {"space": {"lr": {"choices": [0.1, 0.2]}}, "trials": 2, "workers": 1, "scope": "fold"}
    for more in (noise, {"train_share": 0.5}, {"search": search}, {"transform": {"kind": "whiten"}}):
        config = published(recipes={"mine": {"base": "views", "spaces": ["latent"]} | more})
        check_recipe(config, "mine")
    assert not [key for key in searchable(recipe_of(LATENTS).values()) if key.startswith("views")]


def test_only_latents_and_reconstructions_of_a_recipe_with_views_wait_for_stored_copies():
    config = published()
    cell = {"dataset": "cardium", "autoencoder": "flux2", "space": "latent", "recipe": "views", "fold": 0}
    folder = "encodings/cardium/flux2/views4"
    found = files_of_run(config, (), cell)
    assert (found["views"], found["views_card"]) == (f"{folder}/latents.npy", f"{folder}/autoencoder.json")
    found = files_of_run(config, (), cell | {"space": "reconstruction"})
    assert found["views"] == f"{folder}/reconstructions.npy"
    images = files_of_run(config, (), cell | {"space": "image", "autoencoder": "original"})
    assert not [name for name in images if name.startswith("views")]
    for recipe in ("matched", "latent", "whiten"):
        assert not [name for name in files_of_run(config, (), cell | {"recipe": recipe}) if name.startswith("views")]
    per_fold = published(autoencoders={"medvae_ft": {"finetune": {"images": "train_rows_per_fold"}}})
    found = files_of_run(per_fold, (), cell | {"autoencoder": "medvae_ft", "fold": 2})
    assert found["views"] == "encodings/cardium/medvae_ft@fold2/views4/latents.npy"


def test_recipes_without_the_key_are_recorded_as_they_were():
    assert recipe_of(LATENT).recorded() == LATENT
    assert recipe_of(LATENTS).recorded() == LATENTS
    assert json.loads(json.dumps(recipe_of(LATENTS).values()))["views"] == {"copies": K}
    assert "training.views" in registry.modules_of_training(recipe_of(LATENTS))
    assert "training.views" not in registry.modules_of_training(recipe_of(LATENT))
