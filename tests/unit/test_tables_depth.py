"""The decoder's depth, and scores across spaces: tables and a figure from runs whose means are known."""

import pandas as pd
import pytest

from learnability.errors import InputError
from learnability.figures.decoder_depth import draw_decoder_depth
from learnability.study.cells import blocks_of, cells, columns, pairs_across
from learnability.study.configuration import fill_in, read_config
from learnability.study.refusals import check_study
from learnability.tables.across import across_spaces, render_across_spaces
from learnability.tables.depth import decoder_depth, render_decoder_depth
from learnability.tables.labels import Labels
from tests.conftest import CHECKOUT
from tests.drawn import assert_legible, files_of, lines, words

LABELS = Labels({"skin": "Skin"}, {"flux2": "Flux.2"}, frozenset({"skin"}))
DEPTHS = {"matched": None, "behind_all": "all", "behind_mid": "mid", "behind_conv_in": "conv_in"}
SCORES = ("balanced_accuracy", "auc", "mcc")


def run(space: str, recipe: str, fold: int, score: float, **more) -> dict:
    name = "original" if space == "image" else "flux2"
    role = "baseline" if space == "image" else "family"
    identity = {"dataset": "skin", "autoencoder": name, "role": role, "space": space, "recipe": recipe, "fold": fold}
    return identity | dict.fromkeys(SCORES, score) | {"device": "cpu"} | more


def runs_of_depth() -> pd.DataFrame:
    means = {"matched": 0.5, "behind_conv_in": 0.55, "behind_mid": 0.6, "behind_all": 0.79}
    price = {"behind_conv_in": 0.1, "behind_mid": 2.5, "behind_all": 300.0}
    found = []
    for fold, shift in ((0, -0.01), (1, 0.01)):
        found.append(run("reconstruction", "matched", fold, 0.8 + shift))
        for recipe, mean in means.items():
            counted = {"decoder_blocks_gflop": price[recipe], "decoder_gflop": 300.0} if recipe in price else {}
            found.append(run("latent", recipe, fold, mean + shift, **counted))
    return pd.DataFrame(found)


def test_the_table_goes_from_the_latents_to_the_reconstructions_with_the_price_beside():
    table = decoder_depth(runs_of_depth(), DEPTHS, [0, 1])
    accuracy = table[table["metric"] == "balanced_accuracy"]
    assert accuracy["blocks"].tolist() == ["none", "conv_in", "mid", "all", "stored"]
    assert accuracy["mean"].tolist() == pytest.approx([0.5, 0.55, 0.6, 0.79, 0.8])
    assert accuracy["sd"].tolist() == pytest.approx([0.02**0.5 * 0.1] * 5)
    assert accuracy["gflop"].tolist() == [0, 0.1, 2.5, 300, 300]
    assert len(table) == 15
    text = render_decoder_depth(table, LABELS)
    assert "Phantom data" in text["md"] and ".550 ± .014" in text["md"]  # noqa: PT018
    assert text["html"].count("<tr>") > 5 and "whole decoder" in text["tex"]  # noqa: PT018


def test_without_a_run_that_counted_it_the_price_of_the_reconstructions_is_not_known():
    runs = runs_of_depth()
    table = decoder_depth(runs[runs["recipe"] == "matched"].drop(columns=["decoder_gflop"]), DEPTHS, [0, 1])
    assert table["gflop"].tolist() == [0.0] * 3 + ["n/a"] * 3
    with pytest.raises(InputError, match="recipe behind_mid, fold 1 is missing"):
        decoder_depth(runs[(runs["recipe"] != "behind_mid") | (runs["fold"] == 0)], DEPTHS, [0, 1])


def test_the_figure_has_the_means_of_the_table_and_both_levels(tmp_path):
    table = decoder_depth(runs_of_depth(), DEPTHS, [0, 1])
    figure = draw_decoder_depth(table, LABELS)
    (axes,) = figure.axes
    (curve,) = lines(axes, "depth")
    assert curve.tolist() == [[k, pytest.approx(mean)] for k, mean in enumerate([0.5, 0.55, 0.6, 0.79])]
    assert lines(axes, "latent")[0][0, 1] == pytest.approx(0.5)
    assert lines(axes, "reconstruction")[0][0, 1] == pytest.approx(0.8)
    for word in ("z", "conv in", "mid", "x̂", "latents", "reconstructions", "Flux.2"):
        assert word in words(figure)
    assert "Phantom data" in words(figure)
    assert files_of(figure, tmp_path, "a") == files_of(draw_decoder_depth(table, LABELS), tmp_path, "b")
    assert_legible(figure)


def test_each_classifier_stands_beside_its_own_space():
    metrics = pd.DataFrame(
        [
            run(space, "matched", fold, score)
            for space, score in (("image", 0.9), ("reconstruction", 0.8))
            for fold in (0, 1)
        ]
    )
    crossed = pd.DataFrame(
        [
            {
                "dataset": "skin",
                "autoencoder": "flux2",
                "recipe": "matched",
                "fold": fold,
                "trained_on": a,
                "tested_on": b,
            }
            | dict.fromkeys(SCORES, score)
            for a, b, score in (("image", "reconstruction", 0.6), ("reconstruction", "image", 0.7))
            for fold in (0, 1)
        ]
    )
    table = across_spaces(metrics, crossed, [0, 1])
    accuracy = table[table["metric"] == "balanced_accuracy"].set_index(["trained_on", "tested_on"])
    assert accuracy["mean"].to_dict() == {
        ("image", "image"): 0.9, ("image", "reconstruction"): 0.6,
        ("reconstruction", "image"): 0.7, ("reconstruction", "reconstruction"): 0.8,
    }  # fmt: skip
    assert set(table["role"]) == {"family"}
    assert "reconstructions" in render_across_spaces(table, LABELS)["md"]
    with pytest.raises(InputError, match="image, reconstruction, matched, fold 1 is missing"):
        across_spaces(metrics, crossed[crossed["fold"] == 0], [0, 1])


# ---- What a study asks for ----


def demo(**study) -> dict:
    config = read_config(CHECKOUT / "workflow/studies/demo.yaml")
    config["study"] |= study
    return config


def test_the_demo_trains_eight_more_and_scores_two_pairs():
    config = demo()
    new = ("decoder_depth", "across_spaces")
    runs = {name: {tuple(cell.values()) for cell in cells(config, name)} for name in config["study"]["recipes"]}
    own = set.union(*(runs.pop(name) for name in new))
    del runs["remedies"]  # two of them are these
    others = set.union(*runs.values())
    assert len(own - others) == 8
    assert [pair["fold"] for pair in pairs_across(config)] == [0, 1]
    assert columns(config, "decoder_depth")[-1] == ("tiny_flux2", "reconstruction", "matched")
    assert blocks_of(config) == {
        "matched": None, "behind_conv_in": "conv_in", "behind_mid": "mid", "behind_up_1": "up_1", "behind_all": "all"
    }  # fmt: skip
    check_study(config)


@pytest.mark.parametrize(
    ("recipes", "more", "message"),
    [
        ({"behind_mid": {"base": "matched", "decoder_blocks": "mid"}}, {},
         r"recipes\.behind_mid\.decoder_blocks: a decoder reads latents, so `spaces` must be \[latent\]"),
        ({"behind_mid": {"base": "matched", "spaces": ["latent"], "decoder_blocks": "mid", "start_from": "latent"}}, {},
         "decoder_blocks goes without start_from; write `start_from: null`"),
        ({"behind_mid": {"base": "whiten", "decoder_blocks": "mid"}}, {},
         "decoder_blocks goes without transform; write `transform: null`"),
        ({"taught": {"base": "distilled", "distill": {"teacher": {"space": "latent", "recipe": "behind_mid"}}
          | {"hard_weight": 0.5, "loss": "mse", "temperature": 2}}}, {"decoder_depth": ["taught"]},
         "recipes.taught builds on behind_mid, which sees a decoder's features"),
        ({}, {"across_spaces": ["latent"]}, "across_spaces: latent is not used in image space of this study"),
    ],
)  # fmt: skip
def test_what_cannot_run_is_refused_before_it_does(recipes, more, message):
    config = demo()
    config["recipes"] |= recipes
    config["study"]["recipes"] |= more
    with pytest.raises(InputError, match=message):
        check_study(config)


def test_scores_across_spaces_need_both_in_the_study_too():
    config = demo()
    config["study"]["recipes"]["across_spaces"] = ["matched"]
    check_study(config)
    config["study"]["spaces"] = ["latent", "reconstruction"]
    with pytest.raises(InputError, match="across_spaces: matched is not used in image space of this study"):
        check_study(config)


def test_an_autoencoder_without_known_blocks_is_refused_by_name():
    config = demo(autoencoders=["tiny_flux2", "mine"])
    config["autoencoders"]["mine"] = {"label": "Mine", "role": "family", "class": "AutoencoderDC", "source": "./mine",
                                      "channels": 4, "factor": 8}  # fmt: skip
    check_study(config)  # decoder_depth is limited to the other
    config["study"]["limited_to"]["decoder_depth"] = {"autoencoders": ["tiny_flux2", "mine"]}
    with pytest.raises(InputError, match=r"behind_conv_in\.decoder_blocks: the decoder of mine has no known blocks"):
        check_study(config)


def test_the_lists_are_empty_in_the_published_study_and_make_nothing():
    config = read_config()
    fill_in(config)
    assert cells(config, "decoder_depth") == pairs_across(config) == []
