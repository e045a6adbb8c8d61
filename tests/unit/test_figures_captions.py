"""Captions of the figures in the report: they quote the configuration in use, and every figure has one."""

import re
from types import SimpleNamespace

import jinja2
import pytest

from tests.published import CHECKOUT, published

RULES = "\n".join(path.read_text(encoding="utf-8") for path in sorted((CHECKOUT / "workflow/rules").glob("*.smk")))
DRAWING = [rule for rule in re.split(r"^(?=rule |def )", RULES, flags=re.MULTILINE) if rule.startswith("rule draw_")]
CAPTIONS = re.findall(r'\*\*figure_outputs\(\s*"(\w+)"', RULES)


def caption(name, config, **params):
    """The text that Snakemake makes of a caption."""
    text = (CHECKOUT / f"workflow/report/{name}.rst").read_text(encoding="utf-8")
    template = jinja2.Template(text, undefined=jinja2.StrictUndefined)
    return " ".join(template.render(snakemake=SimpleNamespace(config=config, params=SimpleNamespace(**params))).split())


def test_every_figure_has_a_caption():
    assert len(CAPTIONS) == len(set(CAPTIONS)) == len(DRAWING) == 12


def test_the_report_holds_images_only_if_they_may_be_passed_on():
    for rule in DRAWING:
        shows_images = "images_small.npy" in rule or "reconstructions.npy" in rule
        assert ("embedded=not not_shareable(config)" in rule) == shows_images
    assert RULES.count("embedded=not not_shareable(config)") == 1


@pytest.mark.parametrize("name", sorted({*CAPTIONS} - {"spectra"}))  # of encodings, which have no folds
def test_captions_say_which_folds_were_run(name):
    shown = caption(name, published(study={"folds": [1, 3], "n_splits": 7}), reweighting={})
    assert "folds 1, 3" in shown
    assert ("of 7" in shown) == (name != "figure3")


def test_captions_quote_the_recipes_as_they_are_in_force():
    changes = {"image": {"epochs": 33, "patience": 4}, "latent": {"epochs": 22}}
    config = published(recipes=changes | {"noise_conditioned": {"noise": {"sigma_max": 55}}})
    shown = caption("training_curves", config, reweighting={"image": 8, "latent": 9})
    assert "``image``: at most 33 epochs, patience 4." in shown
    assert "``latent``: at most 22 epochs, patience 4." in shown  # patience from its base
    assert "in image space after epoch 8, in latent space after epoch 9." in shown
    assert "Training noise of ``noise_conditioned``: family edm, draw grid" in caption("noise_levels", config)
    assert "sigma_max 55" in caption("noise_levels", config)
    config["study"]["recipes"]["table4"] = ["image", "latent", "noise_augmented"]
    assert "Training noise of ``noise_augmented``: family edm" in caption("noise_levels", config)
    assert "re-weighting" not in caption("training_curves", config, reweighting={})


def test_captions_quote_the_sizes():
    config = published(image_size=96, classifier_size=48)
    assert "at 48 pixels" in caption("figure3", config)
    assert "at 96 pixels" in caption("figure2", config)
