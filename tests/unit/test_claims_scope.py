"""On which autoencoders and data a claim is judged, and claims that there is nothing in one direction."""

import numpy as np
import pytest
from scipy import stats

from learnability.paper.claims import judge_claims
from learnability.paper.findings import PAPER_AUTOENCODERS, Effect
from learnability.paper.verdicts import NOT_SUPPORTED, SUPPORTED, UNTESTABLE, no_effect, within_margin_p
from learnability.significance.rows import CELL_TEST
from learnability.significance.t_tests import corrected_t
from tests.findings import GAPS, SHAPE, TABLE4, controls_of, judged, made_up, table3_of
from tests.scored_runs import only

OWN = (*PAPER_AUTOENCODERS, "own")
PSNR = (34.3, 40.2, 41.4, 29.9, 38.9)


@pytest.fixture(scope="module")
def faithful():
    """A study in which all that the paper says of the gap holds."""
    return judge_claims(made_up())


def test_an_own_autoencoder_does_not_judge_what_the_paper_says_of_its_own(faithful):
    gaps = {name: [*values, 0.03] for name, values in GAPS.items()}
    names = ("isic_range", "mimic_range", "isic_largest", "cardium_no_gap", "flux2_highest_psnr")
    claims = judged(*names, "ls_below_rs", gaps=gaps, autoencoders=OWN, psnr=(*PSNR, 99.0))
    for claim in names:
        row, before = (only(frame, claim=claim) for frame in (claims, faithful))
        assert (row["verdict"], row["measured"], row["data"]) == (SUPPORTED, before["measured"], before["data"])
    row = only(claims, claim="ls_below_rs")
    assert row["data"] == "all data sets of this study; not only the paper's autoencoders"
    assert "in 24 cells" in row["measured"]
    alone = judged("ls_below_rs", gaps={"ct_rate": [0.05]}, autoencoders=("own",), psnr=(40.0,))
    data = "all data sets of this study; 1 of the paper's 4 data sets; not the paper's autoencoders"
    assert alone["data"].tolist() == [data]


def test_the_error_of_a_mean_over_some_families_is_the_mean_of_theirs_whatever_their_freedom():
    gaps = {name: [*values, 0.03] for name, values in GAPS.items()}  # the tested means have the own one in them
    found = made_up(gaps, autoencoders=OWN, psnr=(*PSNR, 99.0))
    before = only(judged("isic_largest", found=found), claim="isic_largest")
    rows, error = found.frames["group_level"], 0.002 / np.sqrt(3)  # of every cell, with 4 degrees of freedom
    surer = (rows["dataset"] == "isic2019") & (rows["autoencoder"] != "medvae") & (rows["test"] == CELL_TEST)
    for end, side in (("ci_low", -1), ("ci_high", 1)):
        rows.loc[surer, end] = rows.loc[surer, "effect"] + side * error * stats.t.ppf(0.975, 100)
    rows.loc[surer, "df"] = 100
    row = only(judged("isic_largest", found=found), claim="isic_largest")
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((before["ci_low"], before["ci_high"]))


def test_one_autoencoder_is_not_every_autoencoder():
    gaps = {name: values[:1] for name, values in GAPS.items()}
    claims = judge_claims(made_up(gaps, autoencoders=("sd14",), psnr=PSNR[:1], without=("table4",)))
    for claim in ("isic_range", "mimic_significant", "isic_largest", "cardium_no_gap", "flux2_highest_psnr"):
        row = only(claims, claim=claim)
        assert row["verdict"] == UNTESTABLE
        assert row["reason"] == "Flux.1, Flux.2, MedVAE, MedVAE-FT are not in this study"
    assert only(claims, claim="ft_latents_on_mimic")["reason"] == "MedVAE, MedVAE-FT are not in this study"
    assert only(claims, claim="imbalance")["verdict"] == SUPPORTED  # this claim needs no autoencoder
    row = only(claims, claim="ls_below_rs")
    assert row["data"] == "all data sets of this study; 1 of the paper's 5 autoencoders"


def test_table_4_is_judged_on_flux2_where_the_study_has_it():
    contrary = {"reconstruction": 0.0, "latent": -0.1, "distilled": -0.2, "tuned": 0.2, "noise_conditioned": -0.3}
    gaps = {name: [*values, 0.03] for name, values in GAPS.items()}
    study = {"gaps": gaps, "autoencoders": OWN, "psnr": (*PSNR, 40.0), "own_effects": contrary}
    names = ("distillation_raises_auc", "tuning_lowers_auc", "noise_costs_little", "residual_gap")
    both, alone = (judged(*names, **study, effects=effects) for effects in (TABLE4, None))
    for claim in names:
        row = only(both, claim=claim)
        assert (row["verdict"], row["data"]) == (SUPPORTED, "all data sets of this study")
        row = only(alone, claim=claim)
        data = "all data sets of this study; not the paper's autoencoders"
        assert (row["verdict"], row["data"]) == (NOT_SUPPORTED, data)


def test_a_phantom_of_mimic_decides_nothing_about_the_other_data_sets():
    row = judged("ft_leaves_latents", synthetic=("mimic_cxr_lt",)).iloc[0]
    assert (row["verdict"], row["data"]) == (SUPPORTED, "CT-RATE, ISIC-2019, Cardium")
    assert judged("ft_leaves_latents", synthetic=("cardium",)).iloc[0]["verdict"] == UNTESTABLE


@pytest.mark.parametrize(("tuned", "verdict"), [(-0.05, SUPPORTED), (0.0, SUPPORTED), (0.05, NOT_SUPPORTED)])
def test_what_worsens_does_not_improve(tuned, verdict):
    row = judged("ft_leaves_latents", tuned=tuned).iloc[0]
    assert (row["verdict"], row["test"]) == (verdict, "one-sided t over groups, every cell at the level")


@pytest.mark.parametrize(("gain", "verdict"), [(0.05, SUPPORTED), (-0.003, SUPPORTED), (-0.05, NOT_SUPPORTED)])
def test_a_gain_is_no_cost(gain, verdict):
    effects = TABLE4 | {"noise_conditioned": TABLE4["tuned"] + gain}
    row = judged("noise_costs_little", effects=effects).iloc[0]
    assert (row["verdict"], row["effect"]) == (verdict, pytest.approx(-gain))
    assert row["measured"].startswith("tuned less noise-conditioned, Flux.2, macro average")


@pytest.mark.parametrize(
    ("effect", "spread", "one_sided", "two_sided"),
    [
        (-0.05, 0.01, SUPPORTED, NOT_SUPPORTED),
        (0.0, 0.01, SUPPORTED, SUPPORTED),
        (0.05, 0.01, NOT_SUPPORTED, NOT_SUPPORTED),
        (0.015, 0.01, UNTESTABLE, UNTESTABLE),  # it excludes zero, but not what the margin allows
        (0.01, 0.05, UNTESTABLE, UNTESTABLE),
    ],
)
def test_no_rise_is_one_sided(effect, spread, one_sided, two_sided):
    """Its p equals scipy's for the plain differences."""
    differences = effect + spread * SHAPE
    result = corrected_t(differences)
    cell = Effect("", effect, result["ci_low"], result["ci_high"], result["p"], 5)
    p = stats.ttest_1samp(differences, 0.02, alternative="less").pvalue
    assert within_margin_p(cell, 0.02, one_sided=True) == pytest.approx(p)
    assert no_effect([cell], 0.02, one_sided=True).verdict == one_sided
    assert no_effect([cell], 0.02).verdict == two_sided


def test_a_fall_is_no_evidence_of_a_rise():
    """Nor does it exclude one here: the other cell is not shown to be below the margin."""
    half = 0.01 * stats.t.ppf(0.975, 4)
    fall, other = (Effect("", effect, effect - half, effect + half, p, 5) for effect, p in ((-0.05, 0.007), (0.0, 1.0)))
    assert no_effect([fall, other], 0.001, one_sided=True).verdict == UNTESTABLE
    assert no_effect([fall, other], 0.001).verdict == NOT_SUPPORTED


@pytest.mark.parametrize("folds", [3, 5])
def test_the_gap_with_other_networks_knows_how_much_each_fold_trains_on(folds):
    """Of five splits three train, whatever the number of folds that are run."""
    scores = {("reconstruction", "image"): (0.7, 0.02), ("latent", "latent_resnet50"): (0.5, 0.03)}
    row = judged("persists", controls=controls_of(scores.items(), folds), folds=folds).iloc[0]
    half = stats.t.ppf(0.975, folds - 1) * np.hypot(0.02, 0.03) * np.sqrt(1 / folds + 1 / 3)
    assert (row["effect"], row["n"]) == (pytest.approx(0.2), folds)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((0.2 - half, 0.2 + half))
    assert row["verdict"] == SUPPORTED
    assert row["data"] == "ISIC-2019; 1 of the paper's 4 data sets; 1 of the paper's 5 autoencoders"


@pytest.mark.parametrize("other", [{"dataset": "isic2019"}, {"autoencoder": "own"}])
def test_claims_about_imagenet_need_a_table_3_of_imagenet(other):
    budget = ("budget_gain", "budget_distillation")
    claims = judged(*budget, "speed", table3=table3_of(**other))
    for claim in budget:
        row = only(claims, claim=claim)
        assert (row["verdict"], row["measured"]) == (UNTESTABLE, "n/a")
        assert row["reason"] == "this study has no Table 3 of ImageNet by an autoencoder of the paper"
    row = only(claims, claim="speed")
    assert row["verdict"] == SUPPORTED
    assert "not the paper's" in row["data"]
    phantom = judged("budget_gain", table3=table3_of("isic2019"), synthetic=("isic2019",)).iloc[0]
    assert phantom["reason"].startswith("this study has no Table 3")  # nothing was measured that a phantom could spoil
