"""Remedies against the gap: which runs they are, what they gain where an effect is planted, and what is refused."""

import numpy as np
import pytest
import torch

from learnability.classifiers.classifier import build_transform
from learnability.planning.networks import count
from learnability.significance.group_level import excess, group_test
from learnability.significance.predictions import paired_rows
from learnability.significance.remedies import REMEDY_COLUMNS, remedies
from learnability.study.cells import cells, columns
from learnability.study.refusals import check_study
from learnability.study.remedies import remedy_rows
from learnability.study.study_lists import study_lists
from tests.published import PUBLISHED, message_of
from tests.scored_runs import only
from tests.tried import RECIPES, TUNED_SHARES, by_tuning, config_of, planted, runs_of

# ---- Which runs ----


def test_without_remedies_there_is_no_row_and_no_run():
    assert cells(PUBLISHED, "remedies") == remedy_rows(PUBLISHED) == []
    assert study_lists(PUBLISHED)["scopes"]["remedies"]["autoencoders"] == PUBLISHED["study"]["autoencoders"]


def test_a_family_goes_through_all_and_a_tuned_one_and_the_control_through_what_they_can():
    found = columns(config_of(), "remedies")
    of = {name: [(space, recipe) for other, space, recipe in found if other == name] for name, _, _ in found}
    assert of["original"] == [("image", "matched")]
    assert of["sd14"] == of["flux1"] == [*(("latent", name) for name in RECIPES), ("reconstruction", "matched")]
    assert of["sd14_ft"] == of["sd14_eq"] == [("latent", "matched"), ("reconstruction", "matched")]
    # It decodes to the images, which are there; and has no blocks.
    assert of["pixel_unshuffle_8"] == [("latent", name) for name in RECIPES[:-1]]


def test_the_control_of_every_grid_takes_part_also_where_it_is_in_the_study():
    both = columns(config_of(autoencoders=["sd14", "medvae"]), "remedies")
    assert {name for name, _, _ in both} == {"original", "sd14", "medvae", "pixel_unshuffle_8", "pixel_unshuffle_4"}
    named = columns(config_of(autoencoders=["sd14", "pixel_unshuffle_8"]), "remedies")
    assert named == columns(config_of(autoencoders=["sd14"]), "remedies")


def test_the_remedy_is_that_of_the_recipe_or_of_the_autoencoder():
    rows = {(row["autoencoder"], row["recipe"]): row for row in remedy_rows(config_of())}
    kinds = ["none", "whiten", "rotate", "low_pass", "low_pass", "decoder_blocks"]
    assert [rows["sd14", name]["remedy"] for name in RECIPES] == kinds
    assert rows["sd14_ft", "matched"]["remedy"] == "none"
    assert rows["sd14_ft", "matched"]["without"] == ["sd14_ft", "matched"]
    equivariant = rows["sd14_eq", "matched"]
    assert (equivariant["remedy"], equivariant["without"]) == ("equivariance", ["sd14", "matched"])
    assert equivariant["against"] == {
        "finetuning": [["sd14_ft", "matched"], ["sd14", "matched"]],
        "rotate": [["sd14", "rotate"], ["sd14", "matched"]],
    }
    assert rows["sd14", "whiten"]["against"] == {
        "control": [["pixel_unshuffle_8", "whiten"], ["pixel_unshuffle_8", "matched"]],
        "rotate": [["sd14", "rotate"], ["sd14", "matched"]],
    }
    assert [*rows["sd14", "rotate"]["against"]] == ["control"]
    assert [*rows["sd14", "behind_mid"]["against"]] == ["rotate"]
    assert rows["sd14", "whiten"]["gap"][0] == ["sd14", "reconstruction", "matched"]
    assert rows["pixel_unshuffle_8", "whiten"]["gap"][0] == ["original", "image", "matched"]
    assert rows["pixel_unshuffle_8", "whiten"]["against"] == {}


def test_tuning_that_differs_in_more_is_no_neighbour():
    config = config_of()
    config["autoencoders"]["sd14_ft"]["finetune"] = {**config["autoencoders"]["sd14_ft"]["finetune"], "steps": 2}
    (row,) = [row for row in remedy_rows(config) if row["remedy"] == "equivariance"]
    assert [*row["against"]] == ["rotate"]


def test_a_name_decides_nothing():
    config = config_of(["matched", "plain"])
    config["recipes"]["plain"] = {
        "base": "matched",
        "spaces": ["latent"],
        "transform": {"kind": "low_pass", "cutoff": 1},
    }
    assert [row["remedy"] for row in remedy_rows(config)][:2] == ["none", "low_pass"]


# ---- What they gain ----


@pytest.fixture(scope="module")
def tests():
    return planted()[1]


def test_what_was_planted_is_found_in_every_cell_and_over_them(tests):
    assert list(tests) == REMEDY_COLUMNS
    effects = {"gap": 0.15, "gain": 0.15, "gain_vs_control": 0.15, "gain_vs_rotate": 0.15, "latent": 0.75}
    for name in ("sd14", "flux1"):
        for comparison, effect in effects.items():
            row = only(tests, autoencoder=name, recipe="whiten", comparison=comparison)
            assert row["effect"] == pytest.approx(effect)
            assert row["ci_low"] < effect < row["ci_high"]
    assert only(tests, autoencoder="sd14", remedy="none", comparison="gap")["effect"] == pytest.approx(0.3)
    control = only(tests, autoencoder="pixel_unshuffle_8", recipe="whiten", comparison="gap")
    assert (control["effect"], control["role"]) == (pytest.approx(0.05), "control")
    assert only(tests, autoencoder="pixel_unshuffle_8", recipe="whiten", comparison="gain")["effect"] == pytest.approx(
        0
    )
    over = only(tests, test="these_datasets", recipe="whiten", comparison="gain_vs_control")
    assert (over["effect"], over["n"]) == (pytest.approx(0.15), 1)
    assert over["p"] < 0.001
    assert only(tests, test="these_datasets", recipe="rotate", comparison="gain")["p"] > 0.05
    assert set(tests.loc[tests["test"] == "these_datasets", "p_corrected"]) == {"n/a"}


def test_the_gain_is_tested_image_by_image_with_the_variance_of_its_own_cell():
    config = config_of(["matched", "whiten"], ["sd14"])
    metrics, images = runs_of(config, lambda cell: 0.75 if cell["recipe"] == "whiten" else 0.6)
    runs = {key: own.set_index("fold") for key, own in metrics.groupby(["autoencoder", "space", "recipe"])}
    found = only(remedies(metrics, images, remedy_rows(config)), test="paired_groups", autoencoder="sd14",
                 comparison="gain")  # fmt: skip
    sides = [[runs["sd14", "latent", recipe]] for recipe in ("whiten", "matched")]
    by_hand = paired_rows(images["isic2019"], *sides)  # reconstructions are the same with and without
    truth = group_test(by_hand, excess([by_hand]), images["isic2019"].overlap(range(5)))
    assert [found["effect"], found["p"], found["ci_low"]] == pytest.approx([truth.effect, truth.p, truth.ci_low])
    assert found["method"] == "sampling and training"


def test_equivariance_must_beat_the_tuning_beside_it():
    tests = planted(by_tuning, recipes=["matched", "rotate"], autoencoders=[*TUNED_SHARES])[1]
    own = tests[(tests["autoencoder"] == "sd14_eq")].set_index("comparison")["effect"]
    assert own["gain"] == pytest.approx(0.15)
    assert own["gain_vs_finetuning"] == pytest.approx(0.05)
    assert own["gap"] == pytest.approx(0.15)
    assert "gain_vs_control" not in own


def test_two_folds_give_intervals_of_sampling_alone():
    config = config_of(["matched", "whiten"], ["sd14"])
    config["study"]["folds"] = [0, 1]
    metrics, images = runs_of(config, lambda cell: 0.7)
    tests = remedies(metrics, images, remedy_rows(config))
    assert set(tests["method"]) == {"sampling only"}
    assert np.isfinite(tests["effect"].astype(float)).all()


def test_the_interval_of_a_score_ends_at_zero_and_that_of_a_gap_does_not():
    config = config_of(["matched", "whiten"], ["sd14"])
    config["study"]["folds"] = [0]
    tests = remedies(*runs_of(config, lambda cell: 1 / 80), remedy_rows(config))
    scores, gaps = (tests[tests["comparison"] == name] for name in ("latent", "gap"))
    assert (scores["ci_low"] == 0).all()
    assert (scores["effect"] > 0).all()
    assert (gaps["ci_low"] < 0).all()


def test_a_gain_less_the_controls_is_cut_at_four():
    def share(cell: dict) -> float:
        of_control = cell["autoencoder"].startswith("pixel_unshuffle")
        return 0.95 if cell["space"] != "latent" or (cell["recipe"] == "whiten") != of_control else 0.05

    tests = planted(share, recipes=["matched", "whiten"], autoencoders=["sd14", "flux1"])[1]
    found = tests[tests["comparison"] == "gain_vs_control"]
    assert found["test"].tolist() == ["paired_groups"] * 2 + ["paired_groups_dataset", "these_datasets"]
    assert found["effect"].tolist() == pytest.approx([1.8] * 4)
    assert (found["ci_low"] < 1.8).all()
    assert (found["ci_high"] > 1.8).all()


# ---- What is refused ----


def test_remedies_without_a_plain_recipe_or_with_two_are_refused():
    assert message_of(check_study, config_of(["whiten"])).startswith(
        "study.recipes.remedies has no recipe without a remedy; expected exactly one, of all three spaces"
    )
    assert "['matched', 'image_again']" in message_of(check_study, config_of(["matched", "image_again"]))


def test_a_recipe_that_differs_in_more_than_its_remedy_is_refused():
    config = config_of(["matched", "slow"])
    config["recipes"]["slow"] = {"base": "whiten", "lr": 1.0e-5}
    assert message_of(check_study, config) == (
        "recipes.slow.lr: differs from matched; recipes of study.recipes.remedies differ in decoder_blocks, transform, "
        "views alone, so that nothing else closes the gap"
    )


def test_two_remedies_at_once_and_views_on_one_side_are_refused():
    config = config_of(["matched", "both"])
    config["recipes"]["both"] = {"base": "views", "spaces": ["latent"], "transform": {"kind": "whiten"}}
    assert message_of(check_study, config) == (
        "study.recipes.remedies: both has whiten and views; name a recipe for each"
    )
    config["recipes"]["both"] = {"base": "views", "spaces": ["latent"]}
    assert message_of(check_study, config).startswith("recipes.both.spaces is ['latent']; views in")


def test_a_transform_costs_what_torch_counts():
    config = config_of()
    channels, grid = {"flux1": 16, "pixel_unshuffle_8": 192}, [64, 64]
    for row in remedy_rows(config):
        transform, many = config["recipes"][row["recipe"]].get("transform"), channels.get(row["autoencoder"], 4)
        network = build_transform({"transform": transform, "in_channels": many, "grid": grid})
        counted = count(network, torch.zeros(1, many, *grid)) if network else 0
        assert row["gflop"] == counted / 1e9
    gflop = {(row["autoencoder"], row["recipe"]): row["gflop"] for row in remedy_rows(config)}
    assert gflop["flux1", "rotate"] == 2 * 16**2 * 64**2 / 1e9
    assert gflop["pixel_unshuffle_8", "low_pass_25"] == 8 * 192 * 64**3 / 1e9


def test_views_are_on_both_sides_of_the_gap_and_have_the_bytes_of_both():
    rows = {row["autoencoder"]: row for row in remedy_rows(config_of(["matched", "views"])) if row["recipe"] == "views"}
    assert [*rows] == ["sd14", "flux1", "pixel_unshuffle_8"]
    assert rows["sd14"]["gap"] == [["sd14", "reconstruction", "views"], ["sd14", "latent", "views"]]
    assert rows["pixel_unshuffle_8"]["gap"][0] == ["original", "image", "views"]
    assert rows["sd14"]["mb"] == 4 * (4 * 64 * 64 * 2 + 3 * 256**2) / 1e6  # four copies, float16 and bytes
    assert rows["pixel_unshuffle_8"]["mb"] == 4 * (192 * 64 * 64 + 3 * 256**2) / 1e6  # bytes
    assert {row["gflop"] for row in rows.values()} == {0}


def test_an_equivariant_autoencoder_without_its_base_is_refused():
    config = config_of(autoencoders=["flux1", "sd14_eq"])
    said = message_of(check_study, config)
    assert "sd14_eq is fine-tuned towards equivariance from sd14, whose gap it is to close; name sd14 too" in said
    check_study(config_of(autoencoders=["flux1", "sd14", "sd14_eq"]))
