"""Diagnostics against the gap: the files, scipy's correlations, exact permutations, and the level of the test."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from learnability.significance.diagnostics import over_datasets, read_diagnostics, read_spectra
from learnability.significance.diagnostics_vs_gap import (
    FEWEST,
    OVER_AUTOENCODERS,
    OVER_CELLS,
    SUSPECTS,
    VS_GAP_COLUMNS,
    diagnostics_vs_gap,
    gaps_of,
    suspects_of,
)
from learnability.significance.rows import TEST_COLUMNS
from learnability.storage.contracts import write_csv
from tests.described import DATASETS, FAMILIES, NUMBERS, described, gaps
from tests.scored_runs import only

SEC = {"diagnostic": "sec", "variant": "normalised;tau=0.5"}
RISING = {name: float(i) for i, name in enumerate(FAMILIES)}


def found(diagnostics=None, **of):
    return diagnostics_vs_gap(described() if diagnostics is None else diagnostics, of or {"gap": gaps()})


def cells_of(diagnostics, leave_out="n/a", gap=None, **number):
    """dataset, autoencoder, value and gap of the families, by hand."""
    rows = diagnostics[(diagnostics["role"] == "family") & (diagnostics["dataset"] != leave_out)]
    rows = rows[(rows["diagnostic"] == number["diagnostic"]) & (rows["variant"] == number["variant"])]
    rows = rows.assign(value=rows["value"].astype(float))
    return rows.merge((gaps() if gap is None else gap).drop(columns="role"), on=["dataset", "autoencoder"])


def test_every_number_has_a_correlation_over_autoencoders_and_cells_that_is_scipys():
    diagnostics, tests = described(), found()
    assert list(tests) == VS_GAP_COLUMNS
    assert VS_GAP_COLUMNS[: len(TEST_COLUMNS)] == TEST_COLUMNS
    assert len(tests) == (len(NUMBERS) - 1) * 2 * (1 + len(DATASETS)) + 2  # one is nowhere a number
    for left_out in ("n/a", *DATASETS):
        suffix = "" if left_out == "n/a" else "_leave_one_out"
        for number in (SEC, {"diagnostic": "lds", "variant": "normalised;near=1,far=6"}):
            cells = cells_of(diagnostics, left_out, **number)
            means = cells.groupby("autoencoder")[["value", "gap"]].mean()
            for test, frame in ((OVER_AUTOENCODERS, means), (OVER_CELLS, cells)):
                row = only(tests, test=test + suffix, dataset=left_out, **number)
                assert row["effect"] == pytest.approx(stats.spearmanr(frame["value"], frame["gap"]).statistic)
                assert (row["n"], row["role"], row["comparison"]) == (
                    len(frame),
                    "family",
                    f"{number['diagnostic']}_vs_gap",
                )


def test_the_p_of_a_suspect_is_scipys_exact_permutation_test_and_holms_over_three():
    diagnostics = described()
    diagnostics.loc[diagnostics["value"] == "n/a (one channel)", "value"] = "0.77"
    diagnostics.loc[diagnostics["autoencoder"] == "medvae_ft", "value"] = "0.3"
    rows = suspects_of(found(diagnostics))
    assert list(zip(rows["diagnostic"], rows["variant"], strict=True)) == SUSPECTS
    for row in rows.to_dict("records"):
        means = cells_of(diagnostics, **row).groupby("autoencoder")[["value", "gap"]].mean()
        truth = stats.permutation_test(
            (means["value"],), lambda values, y=means["gap"]: stats.spearmanr(values, y).statistic,
            permutation_type="pairings", n_resamples=np.inf, alternative="greater",
        )  # fmt: skip
        assert (row["effect"], row["p"]) == pytest.approx((truth.statistic, truth.pvalue))
        assert row["method"] == "exact_permutation_of_5_autoencoders"
    p = rows["p"].astype(float).to_numpy()
    corrected = np.maximum.accumulate(np.sort(p) * [3, 2, 1]).clip(max=1)
    assert rows["p_corrected"].astype(float).to_numpy()[np.argsort(p)] == pytest.approx(corrected)
    assert set(rows["correction"]) == {"holm"}


def test_a_perfect_order_of_five_has_rho_one_and_p_one_of_120_whatever_the_datasets_are_like():
    row = suspects_of(found(described(**RISING))).iloc[0]
    assert (row["effect"], row["p"]) == pytest.approx((1, 1 / 120))
    falling = suspects_of(found(described(**{name: -value for name, value in RISING.items()}))).iloc[0]
    assert (falling["effect"], falling["p"]) == pytest.approx((-1, 1))


def test_only_suspects_against_the_gap_of_table_1_on_all_datasets_have_a_p():
    tests = found(gap=gaps(), gap_matched=gaps())
    tested = tests[tests["p"] != "n/a"]
    assert set(tested["test"]) == {OVER_AUTOENCODERS}
    assert set(tested["comparison"]) == {"sec_vs_gap", "equivariance_encoder_vs_gap"}  # of one channel no correlation
    assert set(tested["dataset"]) == {"n/a"}
    described_only = tests[tests["p"] == "n/a"]
    assert set(described_only["p_corrected"]) == set(described_only["correction"]) == {"n/a"}
    assert {"descriptive", "degenerate", "fewer_than_5_autoencoders"} == set(described_only["method"])
    assert only(tests, test=OVER_CELLS, comparison="sec_vs_gap_matched", dataset="n/a")["method"] == "descriptive"


@pytest.mark.parametrize(("families", "tested"), [(FEWEST - 1, False), (FEWEST, True)])
def test_fewer_than_five_autoencoders_have_no_p_and_the_reason(families, tested):
    names = [*FAMILIES][:families]
    diagnostics = described(names=(*names, "unshuffle", "original"), **RISING)
    row = suspects_of(found(diagnostics)).iloc[0]
    assert (row["p"] != "n/a", row["method"] == "fewer_than_5_autoencoders") == (tested, not tested)
    assert (row["n"], row["effect"]) == (families, pytest.approx(1))


def test_controls_and_images_have_no_part_in_it():
    diagnostics = described()
    others = diagnostics["role"] != "family"
    changed = diagnostics.assign(value=diagnostics["value"].mask(others, "1e9"))
    assert set(diagnostics.loc[others, "autoencoder"]) == {"unshuffle", "cipher", "original"}
    pd.testing.assert_frame_equal(found(changed), found(diagnostics))
    as_family = diagnostics.replace({"role": {"control": "family"}})
    families = gaps().replace({"role": {"control": "family"}})
    assert only(found(as_family, gap=families), test=OVER_AUTOENCODERS, dataset="n/a", **SEC)["n"] == 6


def test_an_autoencoder_that_lacks_a_dataset_is_in_the_cells_and_not_in_the_means():
    diagnostics = described()
    lost = (diagnostics["autoencoder"] == "sd14") & (diagnostics["dataset"] == "cardium")
    tests = found(diagnostics.assign(value=diagnostics["value"].mask(lost, "n/a (a grid of 4)")))
    assert only(tests, test=OVER_AUTOENCODERS, dataset="n/a", **SEC)["n"] == 4
    assert only(tests, test=OVER_CELLS, dataset="n/a", **SEC)["n"] == 14
    assert only(tests, test=f"{OVER_AUTOENCODERS}_leave_one_out", dataset="cardium", **SEC)["n"] == 5


def test_one_dataset_is_not_left_out_and_equal_numbers_have_no_correlation():
    one = described(datasets=["isic2019"], **dict.fromkeys(FAMILIES, 0.5))
    tests = found(one)
    assert set(tests["dataset"]) == {"n/a"}
    row = only(tests, test=OVER_AUTOENCODERS, **SEC)
    assert (row["method"], row["effect"], row["p"]) == ("degenerate", "n/a", "n/a")


def test_the_level_holds_where_autoencoders_and_datasets_have_effects_of_their_own_and_a_relation_is_found():
    """Six autoencoders on three datasets: cells are not independent, and cell-wise p of scipy are far too small."""
    rng, names, sets = np.random.default_rng(0), [f"a{i}" for i in range(6)], [*DATASETS]
    frame = pd.MultiIndex.from_product([sets, names], names=["dataset", "autoencoder"]).to_frame(index=False)

    def p_values(slope, noise=0.3):
        own = rng.normal(size=(2, 6))
        own[1] += slope * own[0]
        x, y = (np.tile(values, 3) + np.repeat(rng.normal(size=3), 6) + rng.normal(0, noise, 18) for values in own)
        constant = {"role": "family", "factor": 8, "null": "n/a"} | SEC
        tests = diagnostics_vs_gap(frame.assign(value=x, **constant), {"gap": frame.assign(gap=y, role="family")})
        return suspects_of(tests).iloc[0]["p"], stats.spearmanr(x, y).pvalue

    exact, naive = (np.array([p_values(0) for _ in range(160)]) < 0.05).mean(axis=0)
    assert naive > 0.15
    assert 0.015 < exact < 0.085
    assert np.mean([p_values(5, noise=0.05)[0] < 0.05 for _ in range(20)]) > 0.8


def test_the_gaps_are_those_of_the_tests_over_groups_and_of_the_decomposition():
    common = {"dataset": "isic2019", "role": "family", "recipe": "matched"}
    groups = pd.DataFrame([
        common | {"test": "paired_groups", "comparison": "reconstruction_vs_latent", "autoencoder": "sd14"},
        common | {"test": "paired_groups", "comparison": "reconstruction_vs_image", "autoencoder": "sd14"},
        common | {"test": "paired_groups_dataset", "comparison": "reconstruction_vs_latent", "autoencoder": "n/a"},
    ]).assign(effect=["0.25", "0.1", "0.2"])  # fmt: skip
    rows = [common | {"autoencoder": "sd14", "metric": metric, "gap_matched": "0.2", "gap_encoding": encoding}
            for metric, encoding in (("balanced_accuracy", "n/a"), ("auc", "0.4"))]  # fmt: skip
    rows.append(rows[0] | {"autoencoder": "n/a", "gap_matched": "0.3"})  # the mean over the families
    got = gaps_of(groups, pd.DataFrame(rows))
    assert {name: frame["gap"].tolist() for name, frame in got.items()} == {"gap": [0.25], "gap_matched": [0.2]}
    assert [*gaps_of(groups)] == ["gap"]
    tuned = [row | {"recipe": "matched_tuned", "gap_matched": "0.1"} for row in rows]
    assert gaps_of(groups, pd.DataFrame(tuned + rows))["gap_matched"]["gap"].tolist() == [0.1]  # the study's first


def test_where_no_autoencoder_has_a_decoder_there_is_no_gap_and_no_correlation():
    none = gaps_of(pd.DataFrame(columns=["test", "comparison", *gaps().columns[:3], "effect"], dtype=str))
    tests = diagnostics_vs_gap(described(), none)
    assert set(tests["effect"]) == set(tests["p"]) == {"n/a"}
    assert set(tests["n"]) == {0}


def files_of(tmp_path, files):
    """The paths of these (name, rows) as CSVs."""
    paths = []
    for name, rows in files:
        paths.append(tmp_path / name)
        write_csv(pd.DataFrame(rows), paths[-1])
    return paths


def row_of(autoencoder, value, role="family", null="0.5"):
    return {"dataset": "isic2019", "autoencoder": autoencoder, "role": role} | SEC | {
        "value": value, "null": null, "n": 7}  # fmt: skip


def test_images_of_several_files_are_there_once_for_each_grid_and_folds_of_a_tuned_one_are_averaged(tmp_path):
    images = [row_of("original", value, "baseline") for value in (0.1, 0.1, 0.2)]
    files = [
        ("sd14.csv", [row_of("sd14", 0.125), images[0]]),
        ("tuned@fold0.csv", [row_of("tuned", 0.25), images[1]]),
        ("tuned@fold1.csv", [row_of("tuned", 0.75, null="n/a (no null)"), images[1]]),
        ("medvae.csv", [row_of("medvae", "n/a (one channel)"), images[2]]),
    ]
    frame = read_diagnostics(files_of(tmp_path, files), [{"factor": factor} for factor in (8, 8, 8, 4)])
    named = {(row["autoencoder"], row["factor"]): (row["value"], row["null"]) for row in frame.to_dict("records")}
    assert len(frame) == len(named) == 5
    assert named["sd14", 8] == ("0.125", "0.5")  # the digits of the file
    assert named["tuned", 8] == (0.5, "n/a (only some of what it is a mean of)")
    assert named["medvae", 4][0] == "n/a (one channel)"
    assert [named["original", factor][0] for factor in (8, 4)] == ["0.1", "0.2"]


def test_folds_that_are_equal_count_as_often_as_they_are_there(tmp_path):
    files = [(f"tuned@fold{i}.csv", [row_of("tuned", value)]) for i, value in enumerate((0.5, 0.5, 1.0))]
    frame = read_diagnostics(files_of(tmp_path, files), [{"factor": 8}] * 3)
    assert frame["value"].tolist() == [pytest.approx(2 / 3)]


def test_a_mean_over_datasets_needs_all_of_them_and_keeps_a_shared_reason():
    frame = described(names=["sd14", "medvae"])
    lost = (frame["dataset"] == "cardium") & (frame["autoencoder"] == "sd14") & (frame["diagnostic"] == "lds")
    means = over_datasets(frame.assign(value=frame["value"].mask(lost, "n/a (a grid of 4)")), "value")
    sec = frame[(frame["autoencoder"] == "sd14") & (frame["diagnostic"] == "sec")]["value"].astype(float)
    assert means["sd14", "family", 8, "sec", "normalised;tau=0.5"] == pytest.approx(sec.mean())
    assert means["medvae", "family", 4, "channel_correlation", "normalised"] == "n/a (one channel)"
    assert means["sd14", "family", 8, "lds", "normalised;near=1,far=6"] == "n/a (only some of what it is a mean of)"


def test_spectra_are_read_with_their_grid(tmp_path):
    rows = [
        {"dataset": "isic2019", "autoencoder": name, "role": role, "frequency": frequency, "power": power}
        for name, role in (("sd14", "family"), ("original", "baseline"))
        for frequency, power in ((0.25, 0.75), (0.5, 0.25))
    ]
    paths = files_of(tmp_path, [("a.csv", rows), ("b.csv", rows[2:])])
    frame = read_spectra(paths, [{"factor": 8}, {"factor": 8}])
    assert len(frame) == 4
    assert frame["power"].tolist() == [0.75, 0.25] * 2
    assert set(frame["factor"]) == {8}
