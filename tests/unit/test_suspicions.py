"""What a study says about the properties that the paper suspects: claims without a verdict, and one sentence."""

from dataclasses import replace

import pytest

from learnability.paper.findings import PAPER_AUTOENCODERS
from learnability.paper.layouts import render_claims
from learnability.significance.diagnostics_vs_gap import diagnostics_vs_gap
from learnability.summary.conclusions import conclusions
from learnability.summary.diagnostics import diagnostics_in_words
from learnability.tables.table5 import table5
from tests.described import described, gaps
from tests.findings import as_read, judged, made_up
from tests.scored_runs import only

CLAIMS = ("high_frequencies", "channel_correlations", "equivariance")
SIX = (*PAPER_AUTOENCODERS, "sixth")
DATASETS = ("ct_rate", "isic2019", "cardium")
RISING = {name: float(i) for i, name in enumerate(SIX)}


def frames_of(names=PAPER_AUTOENCODERS, datasets=DATASETS, **planted):
    """table5.csv and diagnostics_vs_gap.csv in the form in which they are read."""
    diagnostics = described(datasets, [*names, "original"], **planted)
    tests = diagnostics_vs_gap(diagnostics, {"gap": gaps(datasets, names)})
    return as_read({"table5": table5(diagnostics), "diagnostics_vs_gap": tests})


def findings_of(synthetic=(), **arguments):
    found = made_up(synthetic=synthetic)
    return replace(found, frames=found.frames | frames_of(**arguments))


def said_of(**arguments):
    return diagnostics_in_words(frames_of(**arguments)["diagnostics_vs_gap"])


@pytest.mark.parametrize("planted", [RISING, {}])
def test_no_correlation_decides_a_suspicion_and_the_reason_says_what_would(planted):
    claims = judged(*CLAIMS, found=findings_of(**planted))
    assert set(claims["verdict"]) == {"cannot be told"}
    assert set(claims["p"]) == set(claims["effect"]) == set(claims["test"]) == {"n/a"}
    reasons = dict(zip(claims["claim"], claims["reason"], strict=True))
    assert all("shows no cause; what would tell is the gap before and after" in reason for reason in reasons.values())
    assert reasons["high_frequencies"].endswith("high frequencies are taken out of the latents")
    assert "fine-tuned to be equivariant" in reasons["equivariance"]
    measured = only(claims, claim="high_frequencies")["measured"]
    assert measured.endswith("with the gap, over 5 autoencoders; this describes them")
    assert ("ρ = 1.00" in measured) == bool(planted)
    assert only(claims, claim="channel_correlations")["measured"].startswith("ρ = ")
    assert "CT-RATE" in only(claims, claim="equivariance")["data"]
    assert "Why the gap exists" in render_claims(claims)["md"]


def test_without_diagnostics_the_suspicions_are_claims_about_what_is_not_in_the_study():
    claims = judged(*CLAIMS)
    assert set(claims["measured"]) == {"n/a"}
    assert "3 more claims are about what is not in this study" in render_claims(claims)["md"]
    one = judged(*CLAIMS, found=findings_of(names=["sd14"]))
    assert only(one, claim="high_frequencies")["reason"].startswith("no correlation: that needs 3 autoencoders")


def test_phantoms_are_named():
    claims = judged(*CLAIMS, found=findings_of(synthetic=("cardium",)))
    assert "Cardium (phantom)" in only(claims, claim="high_frequencies")["data"]


def test_the_sentence_of_a_relation_has_its_uncertainty_and_claims_no_cause():
    holds, text = said_of(names=SIX, **RISING)
    assert holds
    assert (
        "Over 6 autoencoders, of the three properties of latents that the paper suspects, one goes with the gap" in text
    )
    assert "high-frequency energy (ρ = 1.00, 1.00 to 1.00 with one data set left out, p = .004)" in text
    assert text.endswith("This shows no cause.")


def test_the_sentence_of_no_relation_names_all_three_and_what_so_few_can_show():
    holds, text = said_of(names=PAPER_AUTOENCODERS)
    assert not holds
    assert "None of the three properties" in text
    assert all(name in text for name in ("high-frequency energy (ρ = ", "error of a quarter turn (ρ = "))
    assert "no p from 3 autoencoders" in text  # MedVAE has one channel
    assert "No significance does not mean no relation." in text


def test_a_perfect_order_of_five_autoencoders_is_found_in_the_direction_that_the_paper_suspects():
    names = ("a", "b", "c", "d", "e")
    holds, text = said_of(names=names, **dict(zip(names, range(5), strict=True)))
    assert holds
    assert "one goes with the gap (one-sided p < .05, Holm): high-frequency energy (ρ = 1.00, " in text
    assert "p = .025)" in text
    assert not said_of(names=names, **dict(zip(names, range(5, 0, -1), strict=True)))[0]


def test_a_number_that_is_the_same_in_all_autoencoders_is_called_so():
    text = said_of(names=PAPER_AUTOENCODERS, **dict.fromkeys(PAPER_AUTOENCODERS, 0.5))[1]
    assert "high-frequency energy (no correlation: it, or the gap, is the same in all 5 autoencoders)" in text
    one = said_of(names=("a", "b", "c", "d", "medvae", "medvae_ft"))[1]
    assert "channel correlation (ρ = " in one
    two = said_of(names=("a", "b", "medvae", "medvae_ft", "medvae_2"))[1]
    assert "channel correlation (no correlation: only 2 autoencoders have both)" in two


def test_with_fewer_than_five_autoencoders_nothing_can_be_told():
    holds, text = said_of(names=["sd14", "flux1"], **RISING)
    assert not holds
    assert text == (
        "Whether anything that latents are like goes with the gap cannot be told from 2 autoencoders: at least 5 that "
        "are no controls are needed."
    )


def test_the_summary_says_it_under_what_may_or_may_not_be_concluded_and_nothing_without_diagnostics():
    found = conclusions(findings_of(), [])
    assert any("None of the three properties" in text for text in found["may_not"])
    six = conclusions(findings_of(names=SIX, **RISING), [])
    assert any("one goes with the gap" in text for text in six["may"])
    without = conclusions(made_up(), [])
    assert not any("suspects" in text for text in [*without["may"], *without["may_not"]])
    assert diagnostics_in_words(None) is None
