"""What remedies say of the paper's three suspicions, and whether the gap stays with them."""

from dataclasses import replace

import pandas as pd
import pytest

from learnability.paper.suspicion_claims import over_trials
from learnability.significance.groups import OF_THESE
from learnability.significance.remedies import remedies
from learnability.study.remedies import remedy_rows
from learnability.study.truths import REMEDIES
from tests.findings import as_read, judged, made_up
from tests.scored_runs import only
from tests.tried import config_of, half_by_whitening, planted, runs_of

CORRELATIONS, FREQUENCIES, EQUIVARIANCE = "channel_correlations", "high_frequencies", "equivariance"
SUSPICIONS = (CORRELATIONS, FREQUENCIES, EQUIVARIANCE)
STAYS = "gap_despite_remedies"
DATASETS = ("isic2019", "cardium")


def claims_of(share=half_by_whitening, synthetic=(), folds=5, **study) -> pd.DataFrame:
    """The claims of a study whose remedies are planted."""
    found = made_up(synthetic=synthetic, folds=folds)
    tests = planted(share, **{"datasets": DATASETS, "autoencoders": ["sd14", "flux1"]} | study)[1]
    return judged(*SUSPICIONS, STAYS, found=replace(found, frames=found.frames | as_read({REMEDIES: tests})))


def latents(control=0.85, plain=0.6, **of_recipes):
    """Shares of right latents of the families, by recipe; of the control by control_<recipe>."""

    def share(cell: dict) -> float:
        if cell["space"] != "latent":
            return 0.9
        if cell["autoencoder"].startswith("pixel"):
            return of_recipes.get(f"control_{cell['recipe']}", control)
        return of_recipes.get(cell["recipe"], plain)

    return share


def test_half_of_the_gap_closed_by_whitening_and_nothing_of_the_controls_supports_the_suspicion():
    claims = claims_of()
    row = only(claims, claim=CORRELATIONS)
    assert row["verdict"] == "supported"
    assert row["reason"].startswith("above zero, p < .05; a gap of 15.0 points [")
    assert row["reason"].endswith("] stays")
    assert row["effect"] == pytest.approx(0.15)
    assert "gain of whiten" in row["measured"]
    assert row["test"] == "paired t over groups, every difference at the level, Holm over remedies"
    assert row["data"].startswith("ISIC-2019, Cardium; 2 of the paper's 4 data sets")
    assert only(claims, claim=FREQUENCIES)["verdict"] == "not supported"  # neither cutoff does anything
    assert "low pass 50" in only(claims, claim=FREQUENCIES)["reason"]
    assert "low pass 25" in only(claims, claim=FREQUENCIES)["reason"]
    assert only(claims, claim=STAYS)["verdict"] == "supported"


@pytest.mark.parametrize("left", [{"p": 0.2}, {"effect": -0.1}])
def test_a_gap_that_may_be_none_or_is_below_zero_is_not_said_to_stay(left):
    tests = planted(recipes=["matched", "whiten", "rotate"], datasets=DATASETS, autoencoders=["sd14", "flux1"])[1]
    own = (tests["test"] == OF_THESE) & (tests["comparison"] == "gap") & (tests["recipe"] == "whiten")
    tests.loc[own, [*left]] = [*left.values()]
    found = made_up(folds=5)
    found = replace(found, frames=found.frames | as_read({REMEDIES: tests}))
    row = only(judged(CORRELATIONS, found=found), claim=CORRELATIONS)
    assert (row["verdict"], row["reason"]) == ("supported", "above zero, p < .05")


def test_what_the_control_or_the_rotation_gains_as_well_is_not_the_suspects():
    control = only(claims_of(latents(control=0.6, whiten=0.75, control_whiten=0.75)), claim=CORRELATIONS)
    assert control["verdict"] == "not supported"
    assert "gain of whiten less that of the lossless control" in control["reason"]
    rotation = only(claims_of(latents(whiten=0.75, rotate=0.75)), claim=CORRELATIONS)
    assert rotation["verdict"] == "not supported"
    assert "equal to zero within ±2.0 points: gain of whiten less that of the rotation" in rotation["reason"]


def test_a_remedy_that_harms_is_the_opposite_of_the_suspicion():
    row = only(claims_of(latents(low_pass_50=0.5, low_pass_25=0.45)), claim=FREQUENCIES)
    assert row["verdict"] == "not supported"
    assert row["reason"].count("the opposite is found") == 2


def test_one_cutoff_is_enough_and_one_that_is_open_keeps_the_suspicion_open():
    assert only(claims_of(latents(low_pass_25=0.75)), claim=FREQUENCIES)["verdict"] == "supported"
    # What the control gains, it gains on other images: as much, but the interval is wide.
    shares = latents(control=0.7, control_low_pass_25=0.8, low_pass_25=0.7, low_pass_50=0.5)
    one = only(claims_of(shares), claim=FREQUENCIES)
    assert one["verdict"] == "cannot be told"
    assert "low pass 25" in one["measured"]
    # Also beside a cutoff that is open: one that closes the gap is enough.
    open_too = latents(control=0.7, control_low_pass_25=0.8, low_pass_25=0.7, low_pass_50=0.85)
    assert only(claims_of(open_too), claim=FREQUENCIES)["verdict"] == "supported"


def test_holm_is_over_the_remedies_of_a_suspicion_each_by_its_largest_p():
    def effect(p):
        found = made_up(folds=5).tested("group_level", "paired_groups", "reconstruction_vs_latent")[0]
        return replace(found, p=p)

    trials = {("low_pass", "a"): {"gain": effect(0.01), "x": effect(0.04)}, ("low_pass", "b"): {"gain": effect(0.03)}}
    corrected = over_trials(trials)
    assert [*corrected] == [("low_pass", "b"), ("low_pass", "a")]
    assert corrected["low_pass", "b"]["gain"].p == pytest.approx(0.06)
    assert [cell.p for cell in corrected["low_pass", "a"].values()] == pytest.approx([0.06, 0.06])
    alone = over_trials({("low_pass", "a"): trials["low_pass", "a"]})
    assert [cell.p for cell in alone["low_pass", "a"].values()] == [0.01, 0.04]


def test_equivariance_is_judged_against_the_tuning_beside_it():
    def share(better: float):
        shares = {"sd14": 0.6, "sd14_ft": 0.7, "sd14_eq": better}
        return lambda cell: shares.get(cell["autoencoder"], 0.9) if cell["space"] == "latent" else 0.9

    study = {"recipes": ["matched", "rotate"], "autoencoders": ["sd14", "sd14_ft", "sd14_eq"]}
    better = only(claims_of(share(0.8), **study), claim=EQUIVARIANCE)
    assert better["verdict"] == "supported"
    assert better["data"].endswith("1 of the paper's 5 autoencoders")
    same = only(claims_of(share(0.7), **study), claim=EQUIVARIANCE)
    assert same["verdict"] == "not supported"
    assert "gain of equivariant fine-tuning less that of fine-tuning alone" in same["reason"]
    alone = only(claims_of(share(0.8), **study | {"autoencoders": ["sd14", "sd14_eq"]}), claim=EQUIVARIANCE)
    assert alone["verdict"] == "cannot be told"
    assert alone["reason"] == "equivariant fine-tuning cannot be compared with fine-tuning alone: not in this study"


def test_without_a_rotation_nothing_is_told():
    row = only(claims_of(recipes=["matched", "whiten"]), claim=CORRELATIONS)
    assert (row["verdict"], row["measured"]) == ("cannot be told", "n/a")
    assert row["reason"] == "whiten cannot be compared with the rotation: not in this study"


@pytest.mark.parametrize(("without", "words"), [("control", "the lossless control"), ("rotate", "the rotation")])
def test_means_over_other_families_are_not_compared(without, words):
    config = config_of(["matched", "whiten", "rotate"], ["sd14", "flux1"], DATASETS)
    metrics, images = runs_of(config, half_by_whitening)
    rows = remedy_rows(config)
    (row,) = [row for row in rows if (row["autoencoder"], row["recipe"]) == ("flux1", "whiten")]
    row["against"].pop(without)
    frames = as_read({REMEDIES: remedies(metrics, images, rows)})
    found = made_up(folds=5)
    claim = only(judged(CORRELATIONS, found=replace(found, frames=found.frames | frames)), claim=CORRELATIONS)
    assert claim["verdict"] == "cannot be told"
    assert claim["reason"] == f"whiten is compared with {words} in a part of its cells: means over others"
    assert "gain of whiten" in claim["measured"]


def test_an_equivariant_tuning_without_its_neighbour_is_seen_where_table_1_has_the_tuned_ones_too():
    shares = {"sd14": 0.6, "sd14_ft": 0.7, "sd14_eq": 0.8, "flux1": 0.6, "flux1_eq": 0.8}
    config = config_of(["matched", "rotate"], [*shares], DATASETS)
    config["autoencoders"]["flux1_eq"] = config["autoencoders"]["sd14_eq"] | {"base": "flux1"}
    runs = runs_of(config, lambda cell: shares.get(cell["autoencoder"], 0.9) if cell["space"] == "latent" else 0.9)
    frames = as_read({REMEDIES: remedies(*runs, remedy_rows(config))})
    found = made_up(dict.fromkeys(DATASETS, [0.1] * 5), folds=5, autoencoders=tuple(shares))
    claim = only(judged(EQUIVARIANCE, found=replace(found, frames=found.frames | frames)), claim=EQUIVARIANCE)
    assert claim["verdict"] == "cannot be told"
    assert claim["reason"].startswith("equivariant fine-tuning is compared with fine-tuning alone in a part of its")


def test_phantoms_and_two_folds_tell_nothing_and_are_shown():
    phantom = only(claims_of(synthetic=DATASETS), claim=CORRELATIONS)
    assert phantom["reason"] == "phantom data: synthetic images, not patients"
    assert "15.0 points" in phantom["measured"]
    assert only(claims_of(folds=2), claim=CORRELATIONS)["reason"].startswith("2 folds; at least 3 are needed")


def test_a_gap_that_a_remedy_closes_does_not_stay():
    row = only(claims_of(latents(whiten=0.9, plain=0.6)), claim=STAYS)
    assert row["verdict"] == "not supported"
    assert "whiten, SD 1.4 on ISIC-2019" in row["reason"]


def test_a_gap_that_stays_behind_a_tuned_autoencoder_is_named_by_its_remedy():
    shares = {"sd14": 0.6, "sd14_ft": 0.7, "sd14_eq": 0.8}

    def share(cell: dict) -> float:
        return shares.get(cell["autoencoder"], 0.9) if cell["space"] == "latent" else 0.9

    study = {"recipes": ["matched", "rotate"], "autoencoders": [*shares], "datasets": ["isic2019"]}
    row = only(claims_of(share, **study), claim=STAYS)
    assert "least favourable: equivariant fine-tuning, sd14_eq on ISIC-2019, 10.0 points [" in row["measured"]


def test_a_study_without_remedies_says_what_it_said():
    claims = judged(*SUSPICIONS, STAYS)
    assert set(claims["verdict"]) == {"cannot be told"}
    assert only(claims, claim=STAYS)["reason"] == "this study has no such comparison"
    assert only(claims, claim=CORRELATIONS)["reason"] == "this study does not describe its latents, or measures no gap"
    # One with other remedies describes those that it does not try.
    other = only(claims_of(recipes=["matched", "rotate"]), claim=CORRELATIONS)
    assert other["reason"] == "this study does not describe its latents, or measures no gap"
