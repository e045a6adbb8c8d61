"""Verdicts on claims, in studies in which each is true, false, or cannot be told."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from learnability.paper.claims import CLAIM_COLUMNS, judge_claims
from learnability.paper.findings import Effect, read_findings
from learnability.paper.layouts import render_claims
from learnability.paper.verdicts import NOT_SUPPORTED, SUPPORTED, UNTESTABLE, within, within_margin_p
from learnability.significance.t_tests import corrected_t, tost
from learnability.storage.contracts import write_csv
from tests.findings import GAPS, SHAPE, controls_of, decomposition_of, judged, made_up, table3_of
from tests.rendered import latex_rows
from tests.scored_runs import only

HALF = stats.t.ppf(0.975, 4) / np.sqrt(3)  # of an interval, in units of the spread


@pytest.fixture(scope="module")
def faithful():
    """A study in which all that the paper says of the gap holds."""
    return judge_claims(made_up())


def verdicts(claims) -> dict[str, str]:
    return dict(zip(claims["claim"], claims["verdict"], strict=True))


def test_findings_are_read_from_the_files_of_tables_and_tests(tmp_path):
    study = made_up(controls=controls_of([(("latent", "latent_resnet50"), (0.5, 0.03))]), n_splits=7)
    paths = [tmp_path / f"{name}.csv" for name in study.frames]
    for path in paths:
        frame = study.frames[path.stem].astype(object)
        write_csv(frame.where(frame.notna(), "n/a"), path)
    given = [*study.cards.values()], study.labels, 0.03, study.n_splits, study.names
    found = vars(read_findings(paths, *given))
    frames, known = found.pop("frames"), found.pop("published")
    assert frames.keys() == study.frames.keys()
    for name, frame in study.frames.items():
        pd.testing.assert_frame_equal(frames[name], frame, obj=name)
    pd.testing.assert_frame_equal(known, study.published)
    assert found == {name: getattr(study, name) for name in found} | {"margin": 0.03}


def test_every_claim_has_one_row_and_a_reason(faithful):
    assert list(faithful.columns) == CLAIM_COLUMNS
    assert faithful["claim"].is_unique
    assert len(faithful) == 30
    assert set(faithful["verdict"]) == {SUPPORTED, NOT_SUPPORTED, UNTESTABLE}
    assert (faithful["reason"].str.len() > 5).all()


def test_what_holds_is_supported(faithful):
    supported = {claim for claim, verdict in verdicts(faithful).items() if verdict == SUPPORTED}
    assert supported >= {
        "rs_equals_is", "ls_below_rs", "isic_range", "isic_significant", "mimic_range", "mimic_significant",
        "isic_largest", "cardium_no_gap", "imbalance", "ft_raises_psnr", "flux2_highest_psnr",
        "distillation_raises_auc", "tuning_lowers_auc", "noise_raises_auc", "residual_gap", "budget_gain",
        "speed", "gap_matched", "gap_encoding",
    }  # fmt: skip


def test_an_interval_is_that_of_the_least_favourable_cell(faithful):
    row = only(faithful, claim="isic_significant")
    assert row["effect"] == pytest.approx(0.19)  # of five the smallest: all have one standard error
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((0.19 - 0.002 * HALF, 0.19 + 0.002 * HALF))
    assert row["n"] == 5
    p = 2 * stats.t.sf(0.19 / (0.002 / np.sqrt(3)), 4)
    assert row["p_corrected"] >= p  # Holm's


def test_the_largest_gap_is_tested_against_every_other_dataset(faithful):
    row = only(faithful, claim="isic_largest")
    assert row["effect"] == pytest.approx(np.mean(GAPS["isic2019"]) - np.mean(GAPS["mimic_cxr_lt"]))
    error = np.hypot(1, 1) * 0.002 / np.sqrt(3)
    assert row["ci_high"] - row["effect"] == pytest.approx(error * stats.t.ppf(0.975, 4))


@pytest.fixture(scope="module")
def contrary():
    """A study in which nothing holds, as narrow as its intervals are."""
    gaps = {
        "ct_rate": [0.3, 0.3, 0.3, 0.2, 0.3],
        "isic2019": [0.278, 0.26, 0.24, 0.2, 0.001],
        "mimic_cxr_lt": [0.2, 0.12, 0.1, 0.08, -0.07],
        "cardium": [-0.05, 0.1, 0.1, 0.1, 0.1],
    }
    effects = {"reconstruction": 0.0, "latent": -0.1, "distilled": -0.2, "tuned": 0.2, "noise_conditioned": -0.3}
    return judge_claims(made_up(gaps, loss=0.05, psnr=(34.3, 50.2, 41.4, 38.9, 29.9), effects=effects))


def test_what_does_not_hold_is_not_supported(contrary):
    refuted = {claim for claim, verdict in verdicts(contrary).items() if verdict == NOT_SUPPORTED}
    assert refuted >= {
        "rs_equals_is", "ls_below_rs", "isic_range", "isic_significant", "mimic_range", "mimic_significant",
        "isic_largest", "cardium_no_gap", "ft_raises_psnr", "flux2_highest_psnr", "ft_leaves_latents",
        "ft_reconstructions_on_mimic", "ft_reconstructions_on_isic", "distillation_raises_auc", "tuning_lowers_auc",
        "noise_raises_auc", "noise_raises_mcc", "noise_costs_little", "residual_gap",
    }  # fmt: skip


def test_images_that_came_back_identical_are_not_counted_in_the_error_of_a_mean():
    found, halves = made_up(), []
    for identical in (0, 1):  # of three images
        found.frames["table2"]["identical"] = identical
        row = only(judged("ft_raises_psnr", found=found), claim="ft_raises_psnr")
        halves.append(row["ci_high"] - row["effect"])
    assert halves[1] == pytest.approx(halves[0] * np.sqrt(3 / 2))


def test_what_fine_tuning_raises():
    rises = ("ft_latents_on_mimic", "ft_reconstructions_on_mimic", "ft_reconstructions_on_isic")
    gaps = GAPS | {"mimic_cxr_lt": [0.07] * 5}
    claims = verdicts(judged(*rises, "ft_leaves_latents", gaps=gaps, tuned=0.05))
    assert {claims[name] for name in rises} == {SUPPORTED}
    assert claims["ft_leaves_latents"] == NOT_SUPPORTED  # elsewhere than on MIMIC-LT too


def test_absence_of_evidence_is_no_evidence_of_absence():
    names = ("isic_significant", "mimic_significant", "cardium_no_gap", "noise_costs_little")
    claims = judged(*names, spread=0.3)
    for claim in names:
        row = only(claims, claim=claim)
        assert row["verdict"] == UNTESTABLE
        assert row["p_corrected"] > 0.05
        assert "neither" in row["reason"]


def test_an_estimate_outside_a_range_whose_interval_reaches_in_decides_nothing():
    assert within([Effect("", 0.17, 0.16, 0.18, 0.0, 5)], 0.18, 0.278, "points").verdict == UNTESTABLE
    assert within([Effect("", 0.17, 0.165, 0.174, 0.0, 5)], 0.18, 0.278, "points").verdict == NOT_SUPPORTED


def test_the_ends_of_a_range_are_as_printed():
    """18 to 27.8 points: what is printed as 18 may be 17.5."""
    cells = [Effect("", value, value - 0.001, value + 0.001, 0.0, 5) for value in (0.1751, 0.2829)]
    assert within(cells, 0.18, 0.278, "points").verdict == SUPPORTED
    assert (
        within([cells[0], Effect("", 0.28301, 0.2831, 0.2832, 0.0, 5)], 0.18, 0.278, "points").verdict == NOT_SUPPORTED
    )


def test_psnr_that_predicts_the_gap_is_found_and_no_correlation_needs_a_narrow_interval(faithful):
    open_row = only(faithful, claim="psnr_predicts_nothing")
    gaps = {dataset: [value + 0.01 * step for step in range(5)] for dataset, (value, *_) in GAPS.items()}
    row = judged("psnr_predicts_nothing", gaps=gaps, psnr=(30.0, 31.0, 32.0, 33.0, 34.0)).iloc[0]
    assert (row["verdict"], row["effect"]) == (NOT_SUPPORTED, pytest.approx(1.0))
    assert open_row["verdict"] == UNTESTABLE
    assert open_row["p_corrected"] > 0.05


def test_phantoms_test_nothing_whatever_their_numbers(faithful):
    claims = judge_claims(made_up(synthetic=("isic2019",)))
    before, after = verdicts(faithful), verdicts(claims)
    assert before["isic_range"] == SUPPORTED
    assert {claim for claim in before if before[claim] != after[claim]} > {"isic_range", "ls_below_rs", "gap_matched"}
    assert (after["mimic_range"], after["isic_range"]) == (SUPPORTED, UNTESTABLE)
    row = only(claims, claim="isic_range")
    assert "phantom" in row["reason"]
    assert row["measured"] == only(faithful, claim="isic_range")["measured"].replace("ISIC-2019", "ISIC-2019 (phantom)")


def test_two_folds_test_nothing():
    claims = judged("isic_range", "mimic_significant", "cardium_no_gap", folds=2)
    assert claims["verdict"].tolist() == [UNTESTABLE] * 3


def test_what_is_not_in_the_study_is_named():
    claims = judge_claims(made_up(gaps={"ct_rate": GAPS["ct_rate"]}, without=("table3", "gap_decomposition")))
    assert only(claims, claim="isic_range")["reason"] == "ISIC-2019 is not in this study"
    assert only(claims, claim="isic_largest")["reason"] == "ISIC-2019, MIMIC-LT, Cardium are not in this study"
    assert "lacks the row" in only(claims, claim="speed")["reason"]
    assert "not decomposed" in only(claims, claim="gap_encoding")["reason"]
    assert only(claims, claim="ls_below_rs")["verdict"] == SUPPORTED  # five pairs: 1/32
    assert "no p below 0.5" in only(claims, claim="gap_over_datasets")["reason"]


@pytest.mark.parametrize(("datasets", "said"), [(["imagenet"], "not"), (["clinic", "ct_rate"], "not only")])
def test_other_data_are_said_to_be_other_data(datasets, said):
    row = judged("ls_below_rs", gaps=dict.fromkeys(datasets, GAPS["ct_rate"])).iloc[0]
    assert row["data"] == f"all data sets of this study; {said} the paper's data sets"


def test_four_datasets_are_too_few_for_a_test_over_them(faithful):
    row = only(faithful, claim="gap_over_datasets")
    assert (row["verdict"], row["p_corrected"]) == (UNTESTABLE, 1 / 16)


@pytest.mark.parametrize(
    ("encoding", "half", "verdict"),
    [(0.06, 0.02, SUPPORTED), (0.0, 0.01, NOT_SUPPORTED), (-0.06, 0.02, NOT_SUPPORTED), (0.03, 0.05, UNTESTABLE)],
)
def test_the_gap_against_the_lossless_control(encoding, half, verdict):
    frame = decomposition_of(["isic2019", "cardium"], encoding=encoding, half=half)
    assert judged("gap_encoding", decomposition=frame)["verdict"].tolist() == [verdict]


def test_efficiency_is_a_matter_of_a_factor_of_two_on_a_gpu(faithful):
    assert only(faithful, claim="speed")["effect"] == 64
    memory = only(faithful, claim="memory")
    assert (memory["effect"], memory["verdict"]) == (pytest.approx(20000 / 166), UNTESTABLE)
    assert "the peak is that of our chunks" in memory["reason"]
    for speed, side in ((200, "less than half"), (20, "more than twice")):  # of images; of latents it is 3,200
        other = table3_of()
        other.loc[(other["row"] == "image") & (other["metric"] == "inference_samples_per_second"), "value"] = speed
        row = judged("speed", table3=other).iloc[0]
        assert (row["verdict"], row["reason"]) == (NOT_SUPPORTED, f"{side} the published value")
    on_cpu = judged("speed", table3=table3_of(device="AMD EPYC, 1 thread(s)")).iloc[0]
    assert (on_cpu["verdict"], on_cpu["effect"]) == (UNTESTABLE, 64)


@pytest.mark.parametrize("effect", [0.0, 0.005, -0.012, 0.03])
def test_equivalence_from_an_interval_is_that_of_the_differences(effect):
    differences = effect + 0.01 * SHAPE
    result = corrected_t(differences, 1 / 3)
    cell = Effect("", effect, result["ci_low"], result["ci_high"], result["p"], 5)
    assert within_margin_p(cell, 0.02) == pytest.approx(tost(differences, 0.02, 1 / 3)["p"])


def test_without_an_interval_nothing_is_equivalent():
    assert within_margin_p(Effect("", 0.0, np.nan, np.nan, np.nan, 1), 0.02) == 1.0


def test_claims_as_they_are_read(faithful):
    rendered = render_claims(faithful)
    counts = faithful["verdict"].value_counts()
    assert f"30 claims: {counts[SUPPORTED]} supported, " in rendered["md"]
    assert "hantom" not in rendered["html"]
    assert "**supported**" in rendered["md"]
    assert "<b>supported</b>" in rendered["html"]
    assert rendered["tex"].count(r"\begin{table}") == faithful["part"].nunique()
    first = latex_rows(rendered["tex"].split(r"\end{table}")[0])
    assert {len(row) for row in first} == {6}
    assert rendered["tex"].count("{") == rendered["tex"].count("}")
    for synthetic in (("cardium",), tuple(GAPS)):
        phantom = render_claims(judge_claims(made_up(synthetic=synthetic)))
        assert all("Phantom data: synthetic images, not patients." in text for text in phantom.values())


def test_footnotes_stand_below_every_part_of_the_claims(faithful):
    rendered = render_claims(faithful, ["A note."])
    assert rendered["tex"].count("A note.") == faithful["part"].nunique()


def test_four_pairs_are_too_few_for_a_test_over_them():
    found = made_up()
    tests = found.frames["latent_vs_reconstruction"]
    few = found.frames | {
        "latent_vs_reconstruction": tests[tests["dataset"] == "isic2019"].query("autoencoder != 'sd14'")
    }
    row = judged("ls_below_rs", found=dataclasses.replace(found, frames=few)).iloc[0]
    assert (row["verdict"], row["reason"]) == (UNTESTABLE, "4 pairs can give no p below 0.062")


@pytest.mark.parametrize(
    ("values", "spread", "verdict", "reason"),
    [
        ([0.01, -0.01, 0.02, -0.02, 0.01], 0.05, UNTESTABLE, "3 of 5 above zero, signed-rank p = 0.5: neither"),
        ([0.05, 0.05, 0.05, 0.05, 0.0], 0.002, NOT_SUPPORTED, "a gap of 2.0 points is excluded: MedVAE-FT on CT-RATE"),
        ([0.05, 0.05, 0.05, 0.05, -0.05], 0.002, NOT_SUPPORTED, "the opposite holds for MedVAE-FT on CT-RATE"),
        ([0.01, 0.01, 0.02, 0.02, 0.01], 0.05, SUPPORTED, "every estimate is above zero"),
    ],
)
def test_every_pair_is_a_matter_of_all_of_them(values, spread, verdict, reason):
    row = judged("ls_below_rs", gaps={"ct_rate": values}, spread=spread).iloc[0]
    assert row["verdict"] == verdict
    assert row["reason"].startswith(reason)


@pytest.mark.parametrize("folds", [1, 5])
def test_a_study_of_one_fold_or_of_latents_alone_is_judged_too(folds):
    found = made_up(folds=folds)
    if folds > 1:
        kept = {name: frame.head(0) for name, frame in found.frames.items() if not name.startswith("table")}
        table1 = found.frames["table1"]
        kept |= {"table1": table1[table1["space"] != "reconstruction"], "table2": found.frames["table2"].head(0)}
        found = dataclasses.replace(found, frames=kept)
    claims = verdicts(judge_claims(found))
    assert claims.pop("imbalance") == SUPPORTED  # which needs no fold
    efficiency = {claims.pop(name) for name in ("budget_gain", "budget_distillation", "speed")}
    fidelity = {claims.pop(name) for name in ("ft_raises_psnr", "flux2_highest_psnr")}
    assert efficiency == fidelity == ({SUPPORTED} if folds == 1 else {UNTESTABLE})
    assert set(claims.values()) == {UNTESTABLE}
