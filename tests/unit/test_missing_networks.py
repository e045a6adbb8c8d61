"""`check` and `plan` refuse networks that cannot be built, fed or given their weights, and pass all others."""

from dataclasses import replace

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from learnability.classifiers.weights import load_weights
from learnability.commands.missing import missing_inputs
from learnability.commands.missing_networks import wrong_network, wrong_networks
from learnability.errors import InputError
from learnability.planning import commands
from learnability.storage.checkpoints import write_tensors
from learnability.study.cells import all_cells
from learnability.study.configuration import read_config
from learnability.study.recipes import resolve_recipe
from tests.unit.test_readiness import lines_of, study  # noqa: F401  (a fixture)

IMAGE = replace(resolve_recipe(read_config(), "image"), init="random", model="resnet18")
SCOPE = {
    "recipes": {"ablation_controls": ["image_convnext"], "table4": []},
    "limited_to": {"ablation_controls": {"autoencoders": ["tiny"]}, "gap_decomposition": {"autoencoders": ["tiny"]}},
}
LATENT = replace(resolve_recipe(read_config(), "noise_conditioned"), init="random", start_from=None, stem_patch=1)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"model": "resnet_18"}, "recipes.*.model: timm "),
        ({"model_options": {"depths": [1, 1, 1, 1]}}, "not options of resnet18"),
        ({"model": "vit_tiny_patch16_224"}, "Its input size is fixed: write `model_options: {img_size: 64}`"),
        ({"model": "vit_tiny_patch16_224", "model_options": {"img_size": 64}}, None),
        ({"model": "inception_v3"}, "inception_v3 cannot be trained on this input: RuntimeError: "),
        ({"model": "tresnet_m", "head": "cosine"}, None),
        ({"model": "coat_lite_tiny", "model_options": {"img_size": 64}}, None),
    ],
)
def test_a_network_is_tried_on_the_rows_that_it_will_see(changes, expected):
    message = wrong_network(replace(IMAGE, **changes), "image", (3, 64, 64), None)
    assert message is None if expected is None else expected in message


def test_a_conditioned_network_is_tried_too():
    assert wrong_network(LATENT, "latent", (4, 8, 8), None) is None
    options = {"depths": [1, 1], "dims": [8, 8]}
    assert wrong_network(replace(LATENT, model_options=options), "latent", (4, 8, 8), None) is not None


def test_what_is_inherited_and_not_its_own_is_found_with_the_recipe(study):  # noqa: F811
    """A recipe of another network takes the options of its base."""
    recipes = {"image": {"model": "resnet18", "init": "random", "model_options": {"replace_stem_pool": True}}}
    recipes["latent"] = {"stem_patch": 1, "model_options": {}}
    path = study(recipes=recipes, study=SCOPE)
    found = lines_of(path)["image_convnext"]
    assert [line.ready for line in found] == [False]
    assert found[0].text.startswith("recipes.image_convnext.model_options {'replace_stem_pool': True}: not options of")


def test_a_plan_names_the_recipe(study, monkeypatch):  # noqa: F811
    path = study(recipes={"image": {"model": "resnet_18", "init": "random"}, "latent": {"stem_patch": 1}})
    config = read_config(path)
    cell = {"dataset": "mine", "autoencoder": "original", "space": "image", "recipe": "image", "fold": "0"}
    assert [*wrong_networks(config, [cell, cell]).values()] == ["image"]
    job = type("Job", (), {"rule": "train_classifier", "wildcards": cell})
    monkeypatch.setattr("learnability.planning.dag.planned_jobs", lambda *_: [job])
    given = {
        "configfile": [path],
        "targets": [],
        "profile": None,
        "forcerun": [],
        "device": "cpu",
        "rates": [],
        "gpus": [1],
    }
    chosen = commands.argparse.Namespace(**given)
    with pytest.raises(InputError, match=r"cannot run:\n  - recipes\.image\.model: timm .* has no"):
        commands.run_plan(chosen)


@pytest.mark.parametrize(("model", "fits"), [("resnet18", True), ("resnet26", False), ("deit_tiny", True)])
def test_starting_weights_are_tried_where_they_are(tmp_path, model, fits):
    """deit's weights have a classifier of two layers."""
    name = "deit_tiny_distilled_patch16_224" if model == "deit_tiny" else "resnet18"
    recipe = replace(IMAGE, model=name, init="imagenet", model_options={"img_size": 64} if model == "deit_tiny" else {})
    made = timm.create_model(name if model == "deit_tiny" else model, num_classes=7, **recipe.model_options)
    save_file(made.state_dict(), tmp_path / "model.safetensors")
    message = wrong_network(recipe, "image", (3, 64, 64), str(tmp_path / "model.safetensors"))
    assert message is None if fits else "these weights do not fit resnet18" in message


def test_a_network_whose_layers_share_memory_is_saved_and_read_again(tmp_path):
    torch.manual_seed(0)
    network = timm.create_model("coat_lite_tiny", num_classes=2, img_size=32)
    write_tensors(network.state_dict(), tmp_path / "model.safetensors")
    again = timm.create_model("coat_lite_tiny", num_classes=2, img_size=32)
    assert load_weights(again, load_file(tmp_path / "model.safetensors")) == ""
    x = torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(again.eval()(x), network.eval()(x), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("blocks", "stem", "expected"),
    [
        ("up_7", 1, "recipes.deep.decoder_blocks is 'up_7'; the decoder of far has conv_in, mid, up_1, up_2, up_3, "),
        ("mid", 2, "recipes.deep behind mid on far: convnext_tiny with stem_patch 2 does not fit a grid of 8 x 8"),
        ("mid", 1, None),
    ],
)
def test_a_decoder_without_the_block_or_with_too_small_a_grid_is_found_before_its_weights(
    study,  # noqa: F811
    blocks,
    stem,
    expected,
):
    source = {"class": "AutoencoderKL", "source": "CompVis/stable-diffusion-v1-4", "subfolder": "vae"}
    far = source | {"label": "Far", "channels": 4, "factor": 8, "role": "family"}
    deep = {"base": "matched", "spaces": ["latent"], "model": "convnext_tiny", "decoder_blocks": blocks}
    path = study(
        study={"autoencoders": ["far"], "recipes": {"table1": ["image", "latent"], "decoder_depth": ["deep"]}},
        autoencoders={"far": far},
        recipes={"deep": deep | {"stem_patch": stem, "init": "random", "start_from": None}},
    )
    config = read_config(path)
    jobs = [("train_with_decoder", cell) for cell in all_cells(config) if cell["recipe"] == "deep"]
    start = [message for message in missing_inputs(config, jobs) if "recipes." in message]
    checked = [line.text for line in lines_of(path).get("deep", ()) if not line.ready]
    assert start == checked[: len(start)]
    assert [message.startswith(expected or "") for message in start] == ([True] if expected else [])
    if expected is None:
        assert checked == []


def test_the_network_behind_a_block_is_tried_on_what_the_block_gives(study):  # noqa: F811
    deep = {"base": "matched", "spaces": ["latent"], "model": "inception_v3", "decoder_blocks": "up_1"}
    path = study(
        study={"autoencoders": ["tiny"], "recipes": {"table1": ["image", "latent"], "decoder_depth": ["deep"]}},
        recipes={"deep": deep | {"stem_patch": None, "init": "random", "start_from": None, "model_options": {}}},
    )
    [line] = [line for line in lines_of(path)["deep"] if not line.ready]
    assert line.text.startswith("recipes.deep behind up_1 on tiny: inception_v3 cannot be trained on this input")
