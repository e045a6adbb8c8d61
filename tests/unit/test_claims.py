"""Verdicts on claims, in studies in which each is true, false, or cannot be told."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from learnability.paper.claims import CLAIM_COLUMNS, judge_claims, spoken_of
from learnability.paper.findings import Effect, read_findings
from learnability.paper.layouts import render_claims
from learnability.paper.verdicts import (
    NOT_SUPPORTED,
    SUPPORTED,
    UNTESTABLE,
    all_positive,
    no_effect,
    within,
    within_margin_p,
)
from learnability.significance.t_tests import corrected_t, tost
from learnability.storage.contracts import write_csv
from tests.findings import GAPS, SHAPE, controls_of, decomposition_of, judged, made_up, table3_of, with_means
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
    assert len(faithful) == 34
    assert set(faithful["verdict"]) == {SUPPORTED, NOT_SUPPORTED, UNTESTABLE}
    assert (faithful["reason"].str.len() > 5).all()


def test_what_holds_is_supported(faithful):
    supported = {claim for claim, verdict in verdicts(faithful).items() if verdict == SUPPORTED}
    assert verdicts(judged("ls_below_rs", spread=0.0005))["ls_below_rs"] == SUPPORTED  # .2 points are told from none
    assert supported >= {
        "rs_equals_is", "isic_range", "isic_significant", "mimic_range", "mimic_significant",
        "isic_largest", "cardium_no_gap", "imbalance", "gap_over_datasets", "ft_raises_psnr", "flux2_highest_psnr",
        "distillation_raises_auc", "tuning_lowers_auc", "noise_raises_auc", "residual_gap", "budget_gain",
        "speed", "gap_matched", "gap_encoding",
    }  # fmt: skip


def test_an_interval_is_that_of_the_least_favourable_cell(faithful):
    row = only(faithful, claim="isic_significant")
    assert row["effect"] == pytest.approx(0.19)  # the smallest of five; all have the same standard error
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((0.19 - 0.002 * HALF, 0.19 + 0.002 * HALF))
    assert row["n"] == 5
    assert row["p"] == pytest.approx(2 * stats.t.sf(0.19 / (0.002 / np.sqrt(3)), 4))  # of only this cell


def test_the_largest_gap_is_tested_against_every_other_dataset(faithful):
    row = only(faithful, claim="isic_largest")
    assert row["effect"] == pytest.approx(np.mean(GAPS["isic2019"]) - np.mean(GAPS["mimic_cxr_lt"]))
    error = np.hypot(1, 1) * 0.002 / np.sqrt(3)
    assert row["ci_high"] - row["effect"] == pytest.approx(error * stats.t.ppf(0.975, 8))  # Satterthwaite: 4 of each


@pytest.fixture(scope="module")
def contrary():
    """A study in which no claim holds, with narrow intervals."""
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
        assert row["p"] > 0.05
        assert "neither" in row["reason"]


def test_an_estimate_outside_a_range_whose_interval_reaches_in_decides_nothing():
    assert within([Effect("", 0.17, 0.16, 0.18, 0.0, 5)], 0.18, 0.278).verdict == UNTESTABLE
    assert within([Effect("", 0.19, 0.17, 0.21, 0.0, 5)], 0.18, 0.278).verdict == UNTESTABLE  # nor inside
    assert within([Effect("", 0.17, 0.166, 0.174, 0.0, 5)], 0.18, 0.278).verdict == NOT_SUPPORTED


def test_the_ends_of_a_range_are_as_printed():
    """18 to 27.8 points: what is printed as 18 may be 17.5."""
    cells = [Effect("", value, value - 0.001, value + 0.001, 0.0, 5) for value in (0.1761, 0.2819)]
    assert within(cells, 0.18, 0.278).verdict == SUPPORTED
    beyond = Effect("", 0.2835, 0.2833, 0.2837, 0.0, 5)
    assert within([cells[0], beyond], 0.18, 0.278).verdict == NOT_SUPPORTED


def test_psnr_that_predicts_the_gap_is_found_and_no_correlation_needs_a_narrow_interval(faithful):
    open_row = only(faithful, claim="psnr_predicts_nothing")
    gaps = {dataset: [value + 0.01 * step for step in range(5)] for dataset, (value, *_) in GAPS.items()}
    row = judged("psnr_predicts_nothing", gaps=gaps, psnr=(30.0, 31.0, 32.0, 33.0, 34.0)).iloc[0]
    assert (row["verdict"], row["effect"]) == (NOT_SUPPORTED, pytest.approx(1.0))
    assert open_row["verdict"] == UNTESTABLE
    assert open_row["p"] > 0.05


def test_phantoms_test_nothing_whatever_their_numbers(faithful):
    claims = judge_claims(made_up(synthetic=("isic2019",)))
    before, after = verdicts(faithful), verdicts(claims)
    assert before["isic_range"] == SUPPORTED
    assert {claim for claim in before if before[claim] != after[claim]} > {
        "isic_range",
        "gap_over_datasets",
        "gap_matched",
    }
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
    assert only(claims, claim="ls_below_rs")["verdict"] == SUPPORTED


@pytest.mark.parametrize(("datasets", "said"), [(["imagenet"], "not"), (["clinic", "ct_rate"], "not only")])
def test_other_data_are_said_to_be_other_data(datasets, said):
    row = judged("ls_below_rs", gaps=dict.fromkeys(datasets, GAPS["ct_rate"])).iloc[0]
    assert row["data"] == f"all data sets of this study; {said} the paper's data sets"


def test_the_gap_over_datasets_is_of_these_and_says_what_a_further_one_might_have(faithful):
    row = only(faithful, claim="gap_over_datasets")
    means = [np.mean(values) for values in GAPS.values()]
    p = stats.ttest_1samp(means, 0.0).pvalue
    assert (row["verdict"], row["effect"]) == (SUPPORTED, pytest.approx(np.mean(means)))
    assert f"mean over 4 data sets; for a further data set p = {p:.2g}" in row["measured"]
    assert p > 0.05  # it decides nothing
    none = judged("gap_over_datasets", gaps={name: [0.0] * 5 for name in GAPS}).iloc[0]
    assert (none["verdict"], none["reason"]) == (
        NOT_SUPPORTED,
        "equal to zero within ±2.0 points: 0.0 points [−0.3, 0.3]",
    )


@pytest.mark.parametrize(
    ("encoding", "half", "verdict"),
    [(0.06, 0.02, SUPPORTED), (0.0, 0.01, NOT_SUPPORTED), (-0.06, 0.02, NOT_SUPPORTED), (0.03, 0.05, UNTESTABLE)],
)
def test_the_gap_against_the_lossless_control(encoding, half, verdict):
    frame = decomposition_of(["isic2019", "cardium"], encoding=encoding, half=half)
    assert judged("gap_encoding", decomposition=frame)["verdict"].tolist() == [verdict]
    other = decomposition_of(["isic2019", "cardium"], encoding=-encoding, half=half, recipe="another")
    both = judged("gap_encoding", decomposition=pd.concat([frame, other]))
    assert both["verdict"].tolist() == [verdict]  # by the first recipe
    of_means = judged("gap_encoding", decomposition=with_means(frame))
    pd.testing.assert_frame_equal(of_means, judged("gap_encoding", decomposition=frame))


@pytest.mark.parametrize(("df", "verdict"), [(2, UNTESTABLE), (4, UNTESTABLE), (100, NOT_SUPPORTED)])
def test_an_interval_over_several_gaps_has_the_freedom_of_each(df, verdict):
    frame = decomposition_of(["isic2019", "cardium"], encoding=-0.06, half=0.05, df=df)
    half = 0.05 / stats.t.ppf(0.975, df) * stats.t.ppf(1 - 0.05 / 2 / 2, df)  # of two together
    assert (half < 0.06) == (verdict == NOT_SUPPORTED)
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
    assert on_cpu["measured"] == "64 on AMD EPYC, 1 thread"


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
    assert f"29 claims: {counts[SUPPORTED]} supported, " in rendered["md"]
    assert rendered["md"].count("5 more claims are about what is not in this study") == 1
    assert "hantom" not in rendered["html"]
    assert "**supported**" in rendered["md"]
    assert "<b>supported</b>" in rendered["html"]
    parts = spoken_of(faithful)[0]["part"].nunique()
    assert rendered["tex"].count(r"\begin{table}") == parts + 1  # the first takes two pages
    assert rendered["tex"].count("(continued).}") == 1
    first = latex_rows(rendered["tex"].split(r"\end{table}")[0])
    assert {len(row) for row in first} == {6}
    assert rendered["tex"].count("{") == rendered["tex"].count("}")
    for synthetic in (("cardium",), tuple(GAPS)):
        phantom = render_claims(judge_claims(made_up(synthetic=synthetic)))
        assert all("Phantom data: synthetic images, not patients." in text for text in phantom.values())


def test_footnotes_stand_below_every_part_of_the_claims(faithful):
    rendered, parts = render_claims(faithful, ["A note."]), spoken_of(faithful)[0]["part"].nunique()
    assert [rendered[kind].count("A note.") for kind in ("md", "html")] == [parts] * 2
    assert rendered["tex"].count("A note.") == rendered["tex"].count(r"\begin{table}") > parts  # some are cut


@pytest.mark.parametrize(
    ("values", "spread", "verdict", "reason"),
    [
        (
            [0.01, -0.01, 0.02, -0.02, 0.01],
            0.05,
            UNTESTABLE,
            "neither shown nor excluded, the interval is too wide: SD",
        ),
        (
            [0.05, 0.05, 0.05, 0.05, 0.0],
            0.002,
            UNTESTABLE,
            "smaller than 2.0 points and not shown to be above zero: Med",
        ),
        ([0.05, 0.05, 0.05, 0.05, -0.05], 0.002, NOT_SUPPORTED, "the opposite is found: MedVAE-FT on CT-RATE, −5.0 "),
        ([0.01, 0.01, 0.02, 0.02, 0.01], 0.005, SUPPORTED, "above zero, p < .05"),
    ],
)
def test_every_pair_is_a_matter_of_all_of_them(values, spread, verdict, reason):
    row = judged("ls_below_rs", gaps={"ct_rate": values}, spread=spread).iloc[0]
    assert row["verdict"] == verdict
    assert row["reason"].startswith(reason)


def test_a_gap_that_is_smaller_than_published_is_called_that_and_is_still_a_gap():
    """Every cell of ISIC-2019 has ten points: this is a gap, and it lies outside the range of the paper."""
    claims = judged("isic_range", "isic_significant", gaps=GAPS | {"isic2019": [0.1] * 5}, spread=0.02)
    assert only(claims, claim="isic_significant")["verdict"] == SUPPORTED
    row = only(claims, claim="isic_range")
    assert row["verdict"] == NOT_SUPPORTED
    said = "smaller than published, against 18 or more: SD 1.4 on ISIC-2019, 10.0 points [6.8, 13.2]; "
    assert row["reason"].startswith(said)
    larger = judged("mimic_range", gaps=GAPS | {"mimic_cxr_lt": [0.2] * 5}).iloc[0]["reason"]
    assert larger.startswith("larger than published, against 13 or less: SD 1.4 on MIMIC-LT, 20.0 points [")
    assert not claims["reason"].str.contains("no effect").any()


def test_other_data_sets_change_no_verdict_about_one():
    """Holm over all cells would change it: every cell has .8 points and p = .02, which Holm multiplies by twenty."""
    gaps, names = GAPS | {"mimic_cxr_lt": [0.008] * 5}, ("mimic_significant",)
    alone = judged(*names, gaps={"mimic_cxr_lt": gaps["mimic_cxr_lt"]}, spread=0.0038)
    others = judged(*names, gaps=gaps, spread=0.0038)
    assert 0.01 < alone["p"].iloc[0] < 0.05
    assert alone["verdict"].tolist() == others["verdict"].tolist() == [SUPPORTED]


def cells_of(effects, error, df=60):
    half = error * stats.t.ppf(0.975, df)
    p_values = 2 * stats.t.sf(np.abs(effects) / error, df)
    return [
        Effect(f"c{i}", e, e - half, e + half, p, 90, df)
        for i, (e, p) in enumerate(zip(effects, p_values, strict=True))
    ]


def test_the_opposite_is_a_union_and_needs_simultaneous_intervals():
    effects = [-0.021, *[0.1] * 4]  # p of .04 alone: one of five cells may have that by chance
    cells = cells_of(effects, 0.01)
    assert cells[0].high < 0
    assert all_positive(cells, 0.1, "points", 0.02).verdict == UNTESTABLE
    assert all_positive(cells[:1], 0.1, "points", 0.02).verdict == NOT_SUPPORTED
    assert cells[0].interval(5)[1] == pytest.approx(-0.021 + 0.01 * stats.t.ppf(1 - 0.005, 60))


def test_an_interval_is_called_too_wide_only_if_it_could_hide_the_published_effect():
    wide = all_positive(cells_of([0.03], 0.1), 0.18, "points", 0.02).reason
    small = all_positive(cells_of([0.03], 0.02), 0.18, "points", 0.02).reason
    assert "too wide: c0, 3.0 points [−17.0, 23.0]" in wide
    assert small == "smaller than 18.0 points and not shown to be above zero: c0, 3.0 points [−1.0, 7.0]"


STUDIES = 500


def rates(judge, truth, error, df=60):
    """Percent of each verdict in studies whose cells have these true effects and normal errors of the stated size."""
    drawn = np.random.default_rng(0).normal(truth, error, (STUDIES, len(truth)))
    found = [judge(cells_of(effects, error, df)).verdict for effects in drawn]
    return {verdict: 100 * found.count(verdict) / STUDIES for verdict in (SUPPORTED, NOT_SUPPORTED, UNTESTABLE)}


@pytest.mark.parametrize("error", [0.005, 0.015, 0.05])
@pytest.mark.parametrize("truth", [[0.06, 0.07, 0.1, 0.12, 0.13], [0.02] * 5, [0.1, 0.1, 0.1, 0.1, 0.0], [-0.1] * 5])
def test_a_true_claim_is_rarely_refuted_and_a_false_one_rarely_supported(truth, error):
    """At most 5 % of simulated studies, plus the Monte Carlo error, go wrong at any precision."""
    most = 5 + 2 * np.sqrt(5 * 95 / STUDIES)
    positive = rates(lambda cells: all_positive(cells, 0.06, "points", 0.02), truth, error)
    assert positive[NOT_SUPPORTED if min(truth) >= 0.02 else SUPPORTED] <= most
    ranged = rates(lambda cells: within(cells, 0.06, 0.13), truth, error)
    inside = min(truth) >= 0.06 and max(truth) <= 0.13
    assert ranged[NOT_SUPPORTED if inside else SUPPORTED] <= most
    none = rates(lambda cells: no_effect(cells, 0.02), truth, error)
    assert none[SUPPORTED] <= most  # there is an effect of the margin or more in every one of these
    absent = rates(lambda cells: no_effect(cells, 0.02), [0.0] * 5, error)
    assert absent[NOT_SUPPORTED] <= most


@pytest.mark.parametrize("folds", [1, 5])
def test_a_study_of_one_fold_or_of_latents_alone_is_judged_too(folds):
    found = made_up(folds=folds)
    if folds > 1:
        kept = {name: frame.head(0) for name, frame in found.frames.items() if not name.startswith("table")}
        table1 = found.frames["table1"]
        kept |= {"table1": table1[table1["space"] != "reconstruction"], "table2": found.frames["table2"].head(0)}
        found = dataclasses.replace(found, frames=kept)
    claims = verdicts(judge_claims(found))
    assert claims.pop("imbalance") == SUPPORTED  # this claim needs no fold
    efficiency = {claims.pop(name) for name in ("budget_gain", "budget_distillation", "speed")}
    fidelity = {claims.pop(name) for name in ("ft_raises_psnr", "flux2_highest_psnr")}
    assert efficiency == fidelity == ({SUPPORTED} if folds == 1 else {UNTESTABLE})
    assert set(claims.values()) == {UNTESTABLE}
