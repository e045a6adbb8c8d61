"""What two trainings of a cell differ by when only the seed is another."""

from pathlib import Path

import numpy as np
import pytest

from docs.measurements.parts import images_of
from docs.measurements.replicates import as_markdown, compared
from learnability.errors import InputError
from learnability.significance import predictions
from learnability.significance.group_level import excess
from learnability.storage.contracts import read_metrics
from learnability.storage.vouched import files_matching
from learnability.study.configuration import read_config
from tests.made_up import write_results
from tests.scored_runs import only


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """A study in which every cell of `matched` was trained twice."""
    config = read_config(Path("tests/studies/made_up.yaml"))
    config["recipes"]["again"] = {"base": "matched", "replicate": 1}
    config["study"]["recipes"]["gap_decomposition"] = ["matched", "again"]
    folder = tmp_path_factory.mktemp("results")
    write_results(folder, config)
    return folder


def runs_of(results, autoencoder, space):
    runs = read_metrics(files_matching(results, f"runs/spots/{space}/{autoencoder}/*/*/metrics.json"))
    paths = [
        results / f"runs/spots/{space}/{autoencoder}/{run.recipe}/fold{run.fold}/predictions.parquet"
        for run in runs.itertuples()
    ]
    images = images_of(results, "spots")[0]
    runs = predictions.with_right(runs, paths, {"spots": images}).set_index("fold").sort_index()
    return images, *(runs[runs["recipe"] == recipe] for recipe in ("matched", "again"))


def test_differences_are_tested_over_groups_and_seeds_by_the_same_folds(results):
    table = compared(results, "matched", "again")
    assert sorted(zip(table["space"], table["autoencoder"], strict=True)) == [
        ("image", "original"),
        *[("latent", name) for name in ("first", "pixel_unshuffle_8", "second")],
        *[("reconstruction", name) for name in ("first", "second")],
    ]
    rows = {}
    for row in table.to_dict("records"):
        images, first, second = runs_of(results, row["autoencoder"], row["space"])
        rows[row["space"], row["autoencoder"]] = predictions.paired_rows(images, [first], [second])
        difference = first["balanced_accuracy"] - second["balanced_accuracy"]
        assert row["effect"] == pytest.approx(difference.mean())
        assert row["seeds"] == pytest.approx(np.sqrt((difference**2).sum() / 10))
        assert row["folds"] == pytest.approx(first["balanced_accuracy"].std())
    for kind in (["first", "second"], ["pixel_unshuffle_8"]):
        alike = [rows["latent", name] for name in kind]
        for name, each in zip(kind, alike, strict=True):
            test = predictions.tested_on(images, each, excess(alike))
            row = only(table, space="latent", autoencoder=name)
            assert (row["p"], row["ci_low"]) == pytest.approx((test.p, test.ci_low))


def test_the_table_is_in_points_and_counts_what_was_found(results):
    table = compared(results, "matched", "again").head(2)
    table[["effect", "ci_low", "ci_high", "p", "seeds", "folds"]] = [
        [-0.0001, -0.0512, 0.051, 0.049, 0.012, 0.0304],
        [0.02, None, None, 1.0, 0.0, 0.0],
    ]
    lines = as_markdown(table).splitlines()
    assert lines[2].endswith("| 0.0 (−5.1 to 5.1) | 0.05 | 1.2 | 3.0 |")
    assert lines[3].endswith("| 2.0 (n/a to n/a) | 1.00 | 0.0 | 0.0 |")
    assert lines[-1] == "1 of 2 have p < 0.05; the seed makes 16% of the variance over folds"


def test_recipes_that_no_cell_has_both_of_are_named(results):
    with pytest.raises(InputError, match="no cell has runs by matched and tuned; name two recipes"):
        compared(results, "matched", "tuned")
