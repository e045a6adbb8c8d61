"""The demo itself, run as `make demo` runs it (or found finished), and whether its numbers mean something.

`make test-demo` runs this; `make test` leaves it out, and runs every rule of it in the tiny study of tests/runs.
"""

import contextlib
import io
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from learnability.storage.contracts import file_digest, read_json, read_samples, write_json, write_parquet
from learnability.study.configuration import read_config
from learnability.study.recipes import resolve_recipe
from learnability.summary.controls import controls_of
from learnability.training.engine import train_classifier
from learnability.training.fold_data import Inputs
from tests.chromium import needs_chromium
from tests.conftest import CHECKOUT, run
from tests.documented import undocumented
from tests.latex import assert_good_latex
from tests.whole_study import (
    DEMO,
    assert_controls,
    assert_gap_decomposition,
    assert_python_of_the_pages,
    assert_report_in_a_browser,
    assert_summary_in_a_browser,
    assert_table4,
    assert_values_of_searches,
    figures_of,
    noise_curves,
    table3_under_one_budget,
)

RESULTS = CHECKOUT / "results" / "demo"


@pytest.fixture(scope="module")
def table1() -> pd.DataFrame:
    """Table 1 of the demo; a finished demo is not run again."""
    run(
        sys.executable, "-m", "learnability.workflow.launch",
        sys.executable, "-m", "learnability.workflow.warm_snakemake",
        "--profile", "profiles/local", "--configfile", "workflow/studies/demo.yaml",
    )  # fmt: skip
    return pd.read_csv(RESULTS / "tables" / "table1.csv")


def accuracy(table1: pd.DataFrame, space: str) -> pd.Series:
    chosen = table1[(table1["metric"] == "balanced_accuracy") & (table1["space"] == space)]
    return chosen.set_index(["dataset", "autoencoder"])["mean"]


def test_the_whole_miniature_is_there(table1):
    assert len(accuracy(table1, "image")) == 4
    assert len(accuracy(table1, "latent")) == len(accuracy(table1, "reconstruction")) == 20
    assert (table1["n_folds"] == 2).all()


def test_image_space_learns_every_phantom(table1):
    for (dataset, _), value in accuracy(table1, "image").items():
        classes = len(read_json(RESULTS / "datasets" / dataset / "dataset.json")["classes"])
        assert value >= 1 / classes + 0.15, dataset


def test_reconstructions_keep_what_the_images_say(table1):
    image = accuracy(table1, "image").droplevel("autoencoder")
    reconstruction = accuracy(table1, "reconstruction")
    difference = reconstruction - image.reindex(reconstruction.index.get_level_values("dataset")).to_numpy()
    assert difference.abs().mean() <= 0.10


def test_reconstructions_reach_22_db(table1):
    table2 = pd.read_csv(RESULTS / "tables" / "table2.csv")
    assert (table2.loc[table2["metric"] == "psnr", "mean"] >= 22).all()


def test_fine_tuning_on_the_phantoms_raises_fidelity_there(table1):
    """It does so on average: a few dozen steps do little where speckle dominates."""
    table2 = pd.read_csv(RESULTS / "tables" / "table2.csv")
    psnr = table2[table2["metric"] == "psnr"].pivot(index="dataset", columns="autoencoder", values="mean")
    assert psnr["tiny_medvae_ft"].mean() > psnr["tiny_medvae"].mean()


def test_phantoms_are_called_phantoms_wherever_they_are_shown(table1):
    for path in [*RESULTS.glob("tables/table*.*"), *RESULTS.glob("figures/*.svg")]:
        assert "phantom" in path.read_text(encoding="utf-8").lower(), path
    for card in RESULTS.glob("datasets/*/dataset.json"):
        assert read_json(card)["synthetic"] is True


def test_every_file_and_column_is_in_the_readme_of_results(table1):
    assert undocumented(RESULTS) == []


def test_every_table_parses_and_compiles_as_latex(table1, tmp_path):
    texts = [path.read_text(encoding="utf-8") for path in sorted(RESULTS.glob("tables/*.tex"))]
    assert len(texts) >= 4
    assert_good_latex(texts, tmp_path)


def test_the_python_of_the_pages_finds_the_numbers_of_the_table(table1):
    assert_python_of_the_pages(CHECKOUT, **DEMO)


def test_table4_has_every_row_on_its_data_sets_and_their_mean(table1):
    assert_table4(RESULTS, {"phantom_skin", "phantom_chest"}, "tiny_flux2")


def test_a_tuned_run_has_the_values_that_its_own_search_found(table1):
    assert_values_of_searches(RESULTS, 4)


def test_noise_takes_away_what_a_conditioned_classifier_knows(table1):
    curves = noise_curves(RESULTS, 4)
    last = np.mean([curve.iloc[-1]["balanced_accuracy"] for curve in curves])
    assert last < np.mean([curve.iloc[0]["balanced_accuracy"] for curve in curves]) - 0.1
    assert abs(last - 1 / 4) < 0.1  # of four classes


def test_table3_has_four_rows_under_one_budget(table1):
    table = table3_under_one_budget(RESULTS)
    speed = table[table["metric"] == "inference_samples_per_second"].query("batch_size == 32").set_index("row")["value"]
    assert speed["latent"] > 5 * speed["image"]  # the image classifier decodes first


def test_the_gap_is_decomposed_on_the_lossless_control_of_the_grid(table1):
    assert_gap_decomposition(RESULTS, "tiny_flux2")


def test_the_gap_that_is_there_is_found_and_no_control_fails(table1):
    controls = assert_controls(RESULTS, "phantom_skin")
    cipher = controls.loc[("enciphered_8", "matched")]
    assert cipher["verdict"] == "found"
    assert float(cipher["score_ci_low"]) <= float(cipher["chance"]) <= float(cipher["score_ci_high"])
    assert controls_of(RESULTS).lead.startswith("Controls: a known gap is found")


def permuted(dataset: Path, folder: Path) -> Path:
    """The dataset with its labels shuffled among the groups, so that nothing is left to learn."""
    samples = read_samples(dataset / "samples.parquet")
    names = samples.groupby("group")[["label", "label_name"]].first()
    dealt = names.iloc[np.random.default_rng(0).permutation(len(names))].set_axis(names.index)
    samples[["label", "label_name"]] = dealt.loc[samples["group"]].to_numpy()
    samples["label"] = samples["label"].astype("int64")
    folder.mkdir(parents=True)
    write_parquet(samples, folder / "samples.parquet")
    digest = {"digest_samples": file_digest(folder / "samples.parquet")}
    write_json(read_json(dataset / "dataset.json") | digest, folder / "dataset.json")
    return folder


def standard_error(samples: pd.DataFrame, classes: int) -> float:
    """The standard error of balanced accuracy at chance on one fold of five; images of a group count as one."""
    groups = samples.groupby("label")["group"].nunique().to_numpy() / 5
    return float(np.sqrt((1 / classes) * (1 - 1 / classes) / groups).mean() / np.sqrt(classes))


@pytest.mark.parametrize("space", ["image", "latent", "reconstruction"])
def test_with_permuted_labels_everything_is_at_chance(table1, tmp_path, space):
    """The mean over the phantoms and two folds is within two standard errors of chance."""
    config = read_config(CHECKOUT / "workflow/studies/demo.yaml")
    recipe = resolve_recipe(config, "latent" if space == "latent" else "image").with_values({"epochs": 6})
    torch.set_num_threads(1)
    excess, variance = [], []
    for dataset in sorted((RESULTS / "datasets").iterdir()):
        folder = permuted(dataset, tmp_path / dataset.name)
        encoding = RESULTS / "encodings" / dataset.name / "tiny_flux2"
        array = dataset / "images_small.npy" if space == "image" else encoding / f"{space}s.npy"
        classes = len(read_json(dataset / "dataset.json")["classes"])
        for fold in (0, 1):
            cell = {"dataset": dataset.name, "autoencoder": "-", "space": space, "recipe": "-", "fold": fold}
            run_folder = tmp_path / "runs" / dataset.name / str(fold)
            card = None if space == "image" else encoding / "autoencoder.json"
            sums = encoding / "channel_sums.npy" if space == "latent" else None
            inputs = Inputs(array, folder, RESULTS / "folds" / f"{dataset.name}.parquet", card, sums)
            with contextlib.redirect_stdout(io.StringIO()):
                train_classifier(cell, recipe, fold, 5, "-", inputs, run_folder, torch.device("cpu"))
            excess.append(read_json(run_folder / "metrics.json")["balanced_accuracy"] - 1 / classes)
            variance.append(standard_error(read_samples(folder / "samples.parquet"), classes) ** 2)
    assert abs(np.mean(excess)) <= 2 * np.sqrt(np.sum(variance)) / len(variance)


@needs_chromium
def test_the_summary_is_whole_in_a_browser(table1, tmp_path):
    assert_summary_in_a_browser(RESULTS, figures_of(RESULTS), tmp_path)


@needs_chromium
def test_the_report_shows_table_1_after_a_click(table1, tmp_path):
    study = ("--configfile", "workflow/studies/demo.yaml")
    assert_report_in_a_browser(RESULTS, figures_of(RESULTS), tmp_path, *study)
