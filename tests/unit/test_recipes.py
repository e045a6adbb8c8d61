"""Recipes: what they inherit, which runs they build on, and what is refused before anything is trained."""

import pytest

from learnability.study.recipe import DEFAULTS, KEYS
from learnability.study.recipes import (
    check_recipe,
    pretrained_weights,
    resolve_recipe,
    spaces_of,
    start_run,
    teacher_run,
)
from tests.published import PUBLISHED, message_of, published


def test_a_recipe_inherits_what_it_does_not_say():
    image, latent = (resolve_recipe(PUBLISHED, name) for name in ("image", "latent"))
    assert (latent.model, latent.augment, latent.mask) == ("convnext_tiny", [], 0.2)
    assert (image.model, image.augment, image.mask) == ("resnet50", ["flip", "rotate"], 0)
    assert image.unlike(latent, KEYS) == ["model", "stem_patch", "augment", "mask"]


def test_the_nearest_base_wins():
    recipes = {"a": {"base": "latent", "lr": 0.5}, "b": {"base": "a", "mask": 0.9}}
    resolved = resolve_recipe(published(recipes=recipes), "b")
    assert (resolved.mask, resolved.lr, resolved.model) == (0.9, 0.5, "convnext_tiny")


def test_a_stem_can_be_of_the_space():
    stems = {"image": 4, "reconstruction": 4, "latent": 1}
    config = published(recipes={"a": {"base": "matched", "stem_patch": stems}})
    check_recipe(config, "a")
    assert resolve_recipe(config, "a").stem_patch == stems
    assert {space: resolve_recipe(config, "a", space).stem_patch for space in stems} == stems
    assert resolve_recipe(config, "matched", "latent").stem_patch == 4


def test_a_space_without_a_stem_is_named_with_its_key():
    stems = {"image": 4, "reconstruction": 4}
    config = published(recipes={"a": {"base": "matched", "spaces": list(stems), "stem_patch": stems}})
    check_recipe(config, "a")
    message = "recipes.a.stem_patch has nothing for latent space; one value, or one a space"
    assert message_of(resolve_recipe, config, "a", "latent") == message


def test_a_start_has_the_stem_of_its_spaces_however_it_is_written():
    stems = {"image": 4, "reconstruction": 4, "latent": 1}
    recipes = {"by_space": {"base": "matched", "stem_patch": stems}}
    recipes["one"] = {"base": "matched", "spaces": ["latent"], "stem_patch": 1, "start_from": "by_space"}
    check_recipe(published(recipes=recipes), "one")
    recipes["one"] = {"base": "matched", "spaces": ["latent", "image"], "stem_patch": 1, "start_from": "by_space"}
    message = "recipes.one.start_from: by_space has another stem_patch; its weights do not fit"
    assert message_of(check_recipe, published(recipes=recipes), "one") == message


def test_a_resolved_recipe_says_nothing_of_where_it_is_used():
    assert list(resolve_recipe(PUBLISHED, "latent").values()) == [key for key in KEYS if key not in DEFAULTS]
    assert not {"base", "spaces"} & set(KEYS)


@pytest.mark.parametrize(
    ("recipes", "message"),
    [
        ({"a": {"base": "b"}, "b": {"base": "a"}}, "recipes.a: its bases form a circle"),
        ({"a": {"base": "a"}}, "recipes.a: its bases form a circle"),
        ({"a": {"base": "nowhere"}}, "recipes.a.base: 'nowhere' is not defined; known are ['a', "),
        ({"a": {"model": "resnet18"}}, "recipes.a: missing ['augment', 'batch_size'"),
        ({"a": {"base": "latent", "batch": 4}}, "recipes.a.batch: no such key; it has ['augment', 'batch_size'"),
    ],
)
def test_a_recipe_that_cannot_be_resolved_is_named(recipes, message):
    assert message in message_of(resolve_recipe, published(recipes=recipes), "a")


CELL = {"dataset": "cardium", "autoencoder": "flux2", "space": "latent", "fold": 3}


def test_a_recipe_is_used_in_the_spaces_of_the_nearest_base_that_says_them():
    used = {
        name: spaces_of(PUBLISHED, name) for name in ("image", "tuned", "noise_augmented", "image_convnext", "matched")
    }
    assert used == {
        "image": ["image", "reconstruction"],
        "tuned": ["latent"],
        "noise_augmented": ["latent"],
        "image_convnext": ["image", "reconstruction"],
        "matched": ["image", "latent", "reconstruction"],
    }
    assert message_of(spaces_of, {"recipes": {"a": {"base": "b"}, "b": {}}}, "a") == (
        "recipes.a.spaces: missing; say in which spaces it is used"
    )


def test_imagenet_weights_are_for_a_network_that_starts_from_no_other():
    started = {name: pretrained_weights(PUBLISHED, resolve_recipe(PUBLISHED, name)) for name in PUBLISHED["recipes"]}
    assert started["tuned"] == PUBLISHED["pretrained"]["convnext_tiny"]
    assert started["latent_resnet50"] == PUBLISHED["pretrained"]["resnet50"]
    without = {name for name, entry in started.items() if entry is None}
    assert without == {
        "noise_conditioned", "noise_conditioned_lognormal", "noise_augmented", "matched", "image_again",
        "matched_tuned",
        "latent_random_init", "matched_cross_entropy", "probe_linear", "probe_mlp", "probe_attention", "probe_cnn",
        "share_5", "share_10", "share_25", "share_50",
        "whiten", "rotate", "low_pass_50", "low_pass_25", "views",
        "behind_conv_in", "behind_mid", "behind_up_1", "behind_all",
    }  # fmt: skip


def test_a_teacher_is_of_the_same_fold_and_autoencoder():
    assert teacher_run(PUBLISHED, CELL | {"recipe": "distilled"}) == CELL | {
        "space": "reconstruction",
        "recipe": "image",
    }
    assert teacher_run(PUBLISHED, CELL | {"recipe": "tuned"}) == CELL | {"space": "reconstruction", "recipe": "image"}
    assert teacher_run(PUBLISHED, CELL | {"recipe": "latent"}) is None
    assert teacher_run(PUBLISHED, CELL | {"recipe": "noise_conditioned"}) is None


def test_a_teacher_in_image_space_has_no_autoencoder():
    config = published(recipes={"distilled": {"distill": {"teacher": {"space": "image"}}}})
    expected = CELL | {"space": "image", "autoencoder": "original", "recipe": "image"}
    assert teacher_run(config, CELL | {"recipe": "distilled"}) == expected


def test_a_run_starts_from_the_same_data_and_fold():
    assert start_run(PUBLISHED, CELL | {"recipe": "noise_conditioned"}) == CELL | {"recipe": "tuned"}
    assert start_run(PUBLISHED, CELL | {"recipe": "tuned"}) is None


@pytest.mark.parametrize("name", PUBLISHED["recipes"])
def test_the_published_recipes_can_work(name):
    check_recipe(PUBLISHED, name)


TEACHER = {"space": "reconstruction", "recipe": "image"}
DISTILL = {"teacher": TEACHER, "hard_weight": 0.5, "loss": "mse", "temperature": 2}


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"base": "latent", "model": "resnet34", "stem_patch": None}, "pretrained.resnet34: missing; name its weights"),
        ({"base": "latent", "head": "round"}, "recipes.mine.head is 'round'; expected linear or cosine"),
        ({"base": "latent_resnet50", "film": True}, "recipes.mine.film: FiLM follows the four stages of a ConvNeXt"),
        ({"base": "latent", "film": True}, "recipes.mine.film: nothing to condition on without noise"),
        (
            {"base": "image", "noise": {"family": "vp", "draw": "uniform"}},
            "recipes.mine.noise: noise is added to latents",
        ),
        (
            {"base": "latent", "noise": {"family": "vp", "draw": "grid"}},
            "recipes.mine.noise.draw is 'grid'; family vp has",
        ),
        ({"base": "matched", "stem_patch": {"latent": 1}}, "recipes.mine.stem_patch has nothing for image space"),
        (
            {"base": "latent", "reconstructions": "on_the_fly"},
            "recipes.mine.reconstructions: on_the_fly decodes latents, so `spaces` must be [reconstruction]",
        ),
        (
            {"base": "image", "reconstructions": "on_the_fly"},  # of image space too
            "recipes.mine.reconstructions: on_the_fly decodes latents, so `spaces` must be [reconstruction]",
        ),
        (
            {"base": "matched_tuned", "spaces": ["reconstruction"], "reconstructions": "on_the_fly"},
            "recipes.mine.reconstructions: on_the_fly goes without search",
        ),
        (
            {"base": "latent", "search": {"space": {}, "trials": 2, "workers": 1, "scope": "fold"}},
            "recipes.mine.search.space is empty",
        ),
        (
            {"base": "latent", "distill": DISTILL | {"teacher": {"space": "latent", "recipe": "image"}}},
            "recipes.mine.distill.teacher: recipe image is not used in latent space; take one of ['image', 'reco",
        ),
        (
            {"base": "latent", "distill": DISTILL | {"teacher": TEACHER | {"recipe": "none"}}},
            "recipes.none: not defined",
        ),
        ({"base": "latent", "start_from": "none"}, "recipes.none: not defined"),
        (
            {"base": "latent", "start_from": "latent_resnet50"},
            "recipes.mine.start_from: latent_resnet50 has another model; its weights do not fit",
        ),
        (
            {"base": "latent", "start_from": "latent", "stem_patch": 2},
            "recipes.mine.start_from: latent has another stem_patch; its weights do not fit",
        ),
        (
            {"base": "latent", "start_from": "latent", "head": "cosine"},
            "recipes.mine.start_from: latent has another head; its weights do not fit",
        ),
        (
            {"base": "latent", "start_from": "image_convnext"},
            "recipes.mine.start_from: image_convnext is not used in latent space; take one of ['image', 'reconst",
        ),
        (
            {"base": "latent", "start_from": "noise_conditioned"},
            "recipes.mine.start_from: noise_conditioned has FiLM and this recipe has not; its weights do not fit",
        ),
        (
            {"base": "latent", "distill": DISTILL | {"teacher": {"space": "latent", "recipe": "mine"}}},
            "recipes.mine: its teacher or start_from leads back to itself",
        ),
        ({"base": "latent", "start_from": "mine"}, "recipes.mine: its teacher or start_from leads back to itself"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused_with_its_key(recipe, message):
    assert message in message_of(check_recipe, published(recipes={"mine": recipe}), "mine")


def test_recipes_that_wait_for_each_other_are_refused_however_long_the_circle():
    first = {"base": "latent", "distill": DISTILL | {"teacher": {"space": "latent", "recipe": "second"}}}
    circle = {"first": first, "second": {"base": "latent", "start_from": "third"}}
    config = published(recipes=circle | {"third": {"base": "latent", "start_from": "first"}})
    for name in ("first", "second", "third"):
        assert (
            message_of(check_recipe, config, name) == f"recipes.{name}: its teacher or start_from leads back to itself"
        )


def test_what_a_recipe_builds_on_must_work_too():
    circle = {"b": {"base": "latent", "start_from": "c"}, "c": {"base": "latent", "start_from": "b"}}
    config = published(recipes=circle | {"a": {"base": "latent", "start_from": "b"}})
    assert "leads back to itself" in message_of(check_recipe, config, "a")
    config = published(recipes={"tuned": {"search": {"trials": 0}}})  # Table 4 may list noise_conditioned without it
    assert message_of(check_recipe, config, "noise_conditioned").startswith("recipes.tuned.search.trials is 0")


def test_two_recipes_may_have_one_teacher():
    recipes = {"a": {"base": "distilled"}, "b": {"base": "distilled", "start_from": "a"}}
    check_recipe(published(recipes=recipes), "b")
