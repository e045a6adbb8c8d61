"""The tests over groups of a study on disk: what is read, and the rows of group_level.csv and study_level.csv."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from learnability.errors import InputError
from learnability.significance.group_level import averaged, excess, group_test
from learnability.significance.groups import compared, group_level, study_level
from learnability.significance.predictions import paired_rows, read_right, with_right
from learnability.significance.rows import TEST_COLUMNS
from learnability.storage.contracts import write_csv, write_parquet
from learnability.tables.table1 import table1
from tests.grouped import FAMILIES, write_study
from tests.scored_runs import only


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    metrics, paths, images = write_study(tmp_path_factory.mktemp("study"))
    return with_right(metrics, paths, images), images


@pytest.fixture(scope="module")
def tables(study):
    cells = compared(*study, [("medvae_ft", "flux1")])
    return group_level(cells, study[1]), study_level(cells, study[1])


def test_effect_of_every_cell_is_the_difference_of_table_1(study, tables):
    means = table1(study[0], range(5)).query("metric == 'balanced_accuracy'")
    means = means.set_index(["dataset", "autoencoder", "space"])["mean"]
    cells = tables[0].query("test == 'paired_groups' and comparison == 'reconstruction_vs_latent'")
    assert len(cells) == 8
    for cell in cells.to_dict("records"):
        of = cell["dataset"], cell["autoencoder"]
        assert cell["effect"] == pytest.approx(means[(*of, "reconstruction")] - means[(*of, "latent")], abs=1e-12)
    image = only(tables[0], comparison="reconstruction_vs_image", dataset="cardium", autoencoder="sd14")
    gap = means[("cardium", "sd14", "reconstruction")] - means[("cardium", "original", "image")]
    assert image["effect"] == pytest.approx(gap, abs=1e-12)
    tuned = only(tables[0], comparison="medvae_ft_vs_flux1_in_reconstruction", dataset="isic2019")
    gap = means[("isic2019", "medvae_ft", "reconstruction")] - means[("isic2019", "flux1", "reconstruction")]
    assert (tuned["effect"], tuned["autoencoder"]) == (pytest.approx(gap, abs=1e-12), "medvae_ft")


def test_families_of_a_dataset_share_the_variance_between_folds(study, tables):
    cells = {cell.labels["autoencoder"]: cell.rows for cell in compared(*study)[:4]}
    families = [cells[name] for name in FAMILIES]
    e, alone = excess(families), excess([cells["pixel_unshuffle_8"]])
    for name, shared in ((*FAMILIES[:1], e), ("pixel_unshuffle_8", alone)):
        row = only(tables[0], comparison="reconstruction_vs_latent", dataset="isic2019", autoencoder=name)
        truth = group_test(cells[name], shared, 0.5)
        assert [row["p"], row["ci_low"], row["ci_high"]] == pytest.approx([truth.p, truth.ci_low, truth.ci_high])
        assert (row["n"], row["method"], row["alternative"]) == (40, "sampling and training", "two-sided")
    assert e != excess([cells["sd14"]])
    mean = averaged(families)
    row = only(tables[0], test="paired_groups_dataset", comparison="reconstruction_vs_latent", dataset="isic2019")
    assert row["p"] == pytest.approx(group_test(mean, e, 0.5).p)
    assert e != excess([mean])
    assert (row["autoencoder"], row["role"]) == ("n/a", "family")


def test_holm_is_over_the_family_cells_and_over_the_datasets(tables):
    gaps = tables[0][tables[0]["comparison"] == "reconstruction_vs_latent"]
    for test, count in (("paired_groups", 6), ("paired_groups_dataset", 2)):
        rows = gaps[(gaps["test"] == test) & (gaps["role"] == "family")]
        assert len(rows) == count
        smallest = rows.loc[rows["p"].astype(float).idxmin()]
        assert smallest["p_corrected"] == pytest.approx(count * smallest["p"])
    assert set(gaps.loc[gaps["role"] == "control", "p_corrected"]) == {"n/a"}


def test_study_speaks_of_these_datasets_and_of_a_further_one(study, tables):
    rows = tables[0].query("test == 'paired_groups_dataset' and comparison == 'reconstruction_vs_latent'")
    these = only(tables[1], test="these_datasets", comparison="reconstruction_vs_latent")
    errors = [(row["effect"] / row["statistic"]) for row in rows.to_dict("records")]
    assert these["effect"] == pytest.approx(rows["effect"].mean())
    assert these["statistic"] == pytest.approx(rows["effect"].mean() / (np.hypot(*errors) / 2))
    assert (these["n"], these["dataset"], these["autoencoder"], these["p_corrected"]) == (2, "n/a", "n/a", "n/a")
    further = only(tables[1], test="further_dataset", comparison="reconstruction_vs_latent")
    assert further["p"] == pytest.approx(stats.ttest_1samp(rows["effect"].astype(float), 0).pvalue)
    assert set(tables[1]["comparison"]) == {
        "reconstruction_vs_latent", "reconstruction_vs_image", "medvae_ft_vs_flux1",
        "medvae_ft_vs_flux1_in_reconstruction",
    }  # fmt: skip


def test_tables_can_be_written_also_of_two_folds_and_of_no_variance(tmp_path, tables):
    metrics, paths, images = write_study(tmp_path, ("isic2019",), folds=(0, 3))
    runs = with_right(metrics, paths, images)
    constant = runs["autoencoder"] == "pixel_unshuffle_8"
    runs.loc[constant, "right"] = runs.loc[constant, "right"].map(np.ones_like)
    cells = compared(runs, images)
    two, study = group_level(cells, images), study_level(cells, images)
    for number, table in enumerate([*tables, two, study]):
        assert list(table.columns) == [*TEST_COLUMNS, "df", "variance_sampling", "variance_training", "n_folds"]
        write_csv(table, tmp_path / f"{number}.csv")
    assert set(two["method"]) == {"sampling only"}
    assert only(study, test="these_datasets", comparison="reconstruction_vs_latent")["method"] == "sampling only"
    assert only(study, test="further_dataset", comparison="reconstruction_vs_latent")["p"] == "n/a"
    same = only(two, comparison="reconstruction_vs_latent", autoencoder="pixel_unshuffle_8")
    assert (same["p"], same["ci_low"], same["ci_high"]) == (1.0, "n/a", "n/a")


def test_replicates_of_a_side_are_averaged(study):
    runs, images = study
    keys = ["dataset", "autoencoder", "space"]
    by = {key: part.set_index("fold") for key, part in runs.groupby(keys)}
    first, again = by["cardium", "sd14", "reconstruction"], by["cardium", "flux1", "reconstruction"]
    latent = by["cardium", "sd14", "latent"]
    both = paired_rows(images["cardium"], [first, again], [latent])
    alone = [paired_rows(images["cardium"], [side], [latent]) for side in (first, again)]
    assert np.array_equal(both.difference, (alone[0].difference + alone[1].difference) / 2)
    with pytest.raises(InputError, match=r"autoencoder flux1.*lacks fold\(s\) \[4\]"):
        paired_rows(images["cardium"], [first, again.drop(index=4)], [latent])


def test_other_images_than_those_of_the_fold_are_refused(tmp_path):
    _, paths, images = write_study(tmp_path, ("cardium",))
    with pytest.raises(InputError, match=r"are not the \d+ test images of fold 1 with their labels"):
        read_right(paths[0], images["cardium"], 1)
    predictions = pd.read_parquet(paths[0])
    test = predictions.index[predictions["split"] == "test"]
    for damaged in (predictions.drop(index=test[0]), predictions.assign(label=(predictions["label"] + 1) % 3)):
        write_parquet(damaged, paths[0])
        with pytest.raises(InputError, match="images of fold 0 with their labels"):
            read_right(paths[0], images["cardium"], 0)
