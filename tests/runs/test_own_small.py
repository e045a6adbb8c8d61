"""own_small.yaml, from a user's images and autoencoder to the summary, without a network."""

import numpy as np
import pandas as pd
from PIL import Image

from learnability.datasets.source import open_source
from tests.autoencoders import save
from tests.conftest import copy_checkout, run
from tests.tiny_study import PHANTOM

# What a user sets for a first look: a smaller image, one of three folds, two epochs.
FIRST_LOOK = """
image_size: 64
classifier_size: 32
study: {n_splits: 3, folds: [0]}
datasets: {clinic: {positive: defect, group_pattern: "^[^/]+/([^_]+)_"}}
recipes: {image: {epochs: 2, drw: {after_epoch: 1}}}
"""
NOWHERE = {"HF_HUB_OFFLINE": "1", "HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}


def write_folders(folder):
    """PNG files in a folder per class, the patient in their names."""
    source = open_source(PHANTOM)
    for i, row in enumerate(source.samples.itertuples()):
        place = folder / row.label_name / f"{row.group}_{i}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(source.read(i)[..., 0]).save(place)
    return folder


def test_own_images_and_weights_end_in_a_gap_judged_by_both_controls(tmp_path):
    folder = copy_checkout(tmp_path / "checkout")
    brought = {"OWN_IMAGES": str(write_folders(tmp_path / "images")), "OWN_AUTOENCODER": str(tmp_path / "weights")}
    save("sd", tmp_path / "weights")
    (folder / "first_look.yaml").write_text(FIRST_LOOK)
    files = ("--configfile", "workflow/studies/own_small.yaml", "first_look.yaml")
    command = ("python", "-m", "learnability.workflow.warm_snakemake", "--profile", "profiles/local", "--cores", "2")
    run(*command, *files, folder=folder, **brought, **NOWHERE)
    results = folder / "results/own_small"
    table1 = pd.read_csv(results / "tables/table1.csv")
    assert {*zip(table1["autoencoder"], table1["space"], strict=True)} == {
        ("original", "image"),
        *((name, space) for name in ("mine", "pixel_unshuffle_8") for space in ("latent", "reconstruction")),
    }
    controls = pd.read_csv(results / "significance/controls.csv", keep_default_na=False)
    assert {"pixel_unshuffle_8", "enciphered_8", "image_again"} <= set(controls["control"])
    gaps = pd.read_csv(results / "significance/gap_decomposition.csv", keep_default_na=False)
    assert set(gaps["autoencoder"]) == {"mine", "n/a"}  # and the mean over the families
    assert np.load(results / "encodings/clinic/mine/latents.npy", mmap_mode="r").shape[1:] == (4, 8, 8)
    assert "mine" in (results / "summary.html").read_text(encoding="utf-8").casefold()
    assert "clinic" in run("python", "-m", "learnability.cli", "show", str(results), folder=folder)
