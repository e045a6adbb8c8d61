"""Claims about the gap: reconstructions against images and against latents."""

from dataclasses import replace
from functools import partial

import numpy as np
from scipy import stats

from ..significance.level import ALPHA, CONFIDENCE_TOST, P_BELOW
from .claim import HERE, Claim, of_table, percent
from .findings import PAPER_DATASETS, Effect, Findings
from .verdicts import (
    CORRELATION_MARGIN,
    NO_CELL,
    NOT_SUPPORTED,
    SUPPORTED,
    UNTESTABLE,
    Verdict,
    all_positive,
    in_words,
    no_effect,
    shown,
    untestable,
    within,
)

PART = "The gap"
LARGE = f"{HERE}The learnability gap is large and consistent"
TABLE1 = of_table("table1")


def gaps(findings: Findings, **where) -> list[Effect]:
    """Reconstruction minus latent of every family and dataset, or of those in `where`."""
    return findings.tested("latent_vs_reconstruction", "corrected_paired_t", "reconstruction_vs_latent", **where)


def reconstructions_equal_images(findings: Findings) -> Verdict:
    """TOST over dataset means, against the two-sided signed-rank test over all pairs."""
    rows = findings.rows("equivalence", test="tost_datasets")
    if rows.empty:
        return untestable(NO_CELL)
    row, (ranks,) = rows.iloc[0], _ranks(findings, "wilcoxon_pairs", "reconstruction_vs_image", "two-sided")
    cell = Effect("", row["effect"], row["ci_low"], row["ci_high"], ranks["p"], int(row["n"]))
    bound = f"±{shown(findings.margin, 'points')} points"
    text = f"{in_words(cell, 'points')} ({CONFIDENCE_TOST}) over {cell.n} data sets; signed-rank p = {ranks['p']:.2g}"
    found = Verdict(SUPPORTED, f"equal within {bound}", text, cell, "TOST over data sets", row["p"])
    if cell.n < 3:
        return untestable(f"{cell.n} data set(s); at least 3 are needed", found)
    if row["p"] < ALPHA:
        return found
    if ranks["p"] < ALPHA:
        return replace(found, verdict=NOT_SUPPORTED, reason=f"a difference is shown (signed-rank test, {P_BELOW})")
    reason = f"neither a difference nor equality within {bound} is shown: not significant is not equal"
    return replace(found, verdict=UNTESTABLE, reason=reason)


def latents_below_everywhere(findings: Findings) -> Verdict:
    """All estimates are positive, and the signed-rank test over all pairs says that this is not chance."""
    cells = gaps(findings)
    if not cells:
        return untestable(NO_CELL)
    above = sum(cell.effect > 0 for cell in cells)
    (ranks,) = _ranks(findings, "wilcoxon_pairs", "reconstruction_vs_latent", "greater")
    smallest = min(cells, key=lambda cell: cell.effect)
    text = f"{above} of {len(cells)} pairs; smallest: {smallest.name}, {in_words(smallest, 'points')}"
    test = f"signed-rank over all pairs, {in_method(ranks)}"
    found = Verdict(SUPPORTED, "every estimate is above zero", text, smallest, test, ranks["p"])
    below = [cell for cell in cells if cell.high < 0]
    if below:
        names = ", ".join(cell.name for cell in below)
        return replace(found, verdict=NOT_SUPPORTED, reason=f"the opposite holds for {names}")
    if 0.5 ** len(cells) >= ALPHA:
        return untestable(f"{len(cells)} pairs can give no p below {0.5 ** len(cells):.2g}", found)
    none = [cell.name for cell in cells if cell.effect <= 0 and cell.high < findings.margin]
    if none:
        bound = shown(findings.margin, "points")
        return replace(found, verdict=NOT_SUPPORTED, reason=f"a gap of {bound} points is excluded: {', '.join(none)}")
    if ranks["p"] >= ALPHA or above < len(cells):
        reason = f"{above} of {len(cells)} above zero, signed-rank p = {ranks['p']:.2g}: neither shown nor excluded"
        return replace(found, verdict=UNTESTABLE, reason=reason)
    return found


def in_range(dataset: str, findings: Findings) -> Verdict:
    low, high = findings.known(kind="gap", dataset=dataset, autoencoder="n/a", place=LARGE)
    return within(gaps(findings, dataset=dataset), low, high, "points")


def significant(dataset: str, findings: Findings) -> Verdict:
    low, _ = findings.known(kind="gap", dataset=dataset, autoencoder="n/a", place=LARGE)
    return all_positive(gaps(findings, dataset=dataset), low, "points")


def largest(findings: Findings) -> Verdict:
    """ISIC-2019's mean gap over the families is above that of every other dataset (intersection-union test)."""
    means = {name: _mean_of(gaps(findings, dataset=name), findings.dataset(name)) for name in PAPER_DATASETS}
    if not all(means.values()):
        return untestable(NO_CELL)
    first = means.pop("isic2019")
    differences = []
    for other in means.values():
        effect, error, n = first.effect - other.effect, np.hypot(first.error, other.error), min(first.n, other.n)
        half = error * stats.t.ppf(1 - ALPHA / 2, n - 1) if n > 1 else np.nan
        p = 2 * stats.t.sf(abs(effect) / error, n - 1)
        differences.append(Effect(f"{first.name} less {other.name}", effect, effect - half, effect + half, p, n))
    isic, _ = findings.known(kind="gap", dataset="isic2019", autoencoder="n/a", place=LARGE)
    _, mimic = findings.known(kind="gap", dataset="mimic_cxr_lt")
    return all_positive(differences, isic - mimic, "points", "t between data sets; each comparison must hold")


def _mean_of(cells: list[Effect], name: str) -> Effect | None:
    """The mean over families that share folds: its standard error is at most the mean of theirs."""
    if not cells:
        return None
    effect, low, high = (np.mean([getattr(cell, end) for cell in cells]) for end in ("effect", "low", "high"))
    return Effect(name, effect, low, high, np.nan, min(cell.n for cell in cells))


def not_predicted_by_psnr(findings: Findings) -> Verdict:
    """Pearson's r within datasets; no relationship means an interval within ±CORRELATION_MARGIN."""
    rows = findings.rows("fidelity_vs_gap", test="pearson_within_dataset")
    if rows.empty or np.isnan(rows.iloc[0]["effect"]):
        return untestable("too few pairs of autoencoder and data set for a correlation")
    row = rows.iloc[0]
    cell = Effect("", row["effect"], row["ci_low"], row["ci_high"], row["p"], int(row["n"]))
    text = f"r = {in_words(cell, '')} over {cell.n} pairs"
    found = Verdict(SUPPORTED, f"|r| below {CORRELATION_MARGIN}", text, cell, "Pearson within data sets", row["p"])
    if row["p"] < ALPHA:
        return replace(found, verdict=NOT_SUPPORTED, reason=f"PSNR and gap are correlated, {P_BELOW}")
    if not (cell.low > -CORRELATION_MARGIN and cell.high < CORRELATION_MARGIN):
        reason = f"no correlation is shown, but |r| of {CORRELATION_MARGIN} or more is not excluded by {cell.n} pairs"
        return replace(found, verdict=UNTESTABLE, reason=reason)
    return found


def imbalanced(findings: Findings) -> Verdict:
    ratios = {name: findings.cards[name]["imbalance_ratio"] for name in PAPER_DATASETS}
    least, _ = findings.known(kind="imbalance_ratio", dataset=PAPER_DATASETS[0])
    text = ", ".join(f"{findings.dataset(name)} {ratio:.3g}" for name, ratio in ratios.items())
    cell = Effect("", min(ratios.values()), np.nan, np.nan, np.nan, len(ratios))
    below = [findings.dataset(name) for name, ratio in ratios.items() if ratio <= least]
    if below:
        return Verdict(NOT_SUPPORTED, f"{', '.join(below)}: {least:g} or less", text, cell, "counts")
    return Verdict(SUPPORTED, f"every ratio is above {least:g}", text, cell, "counts")


def _ranks(findings: Findings, test: str, comparison: str, alternative: str) -> list[dict]:
    return findings.rows("wilcoxon", test=test, comparison=comparison, alternative=alternative).to_dict("records")


def in_method(ranks: dict) -> str:
    """How the p of a signed-rank test was found, in words: exact, or by the normal approximation."""
    return ranks["method"].replace("_", " ")


def _range(dataset: str, findings: Findings) -> str:
    return percent(*findings.known(kind="gap", dataset=dataset, autoencoder="n/a", place=LARGE))


def _pairs(findings: Findings) -> str:
    p, _ = findings.known(kind="p_value", row="wilcoxon_pairs")
    return f"all 20 pairs, p = {p:.2g}".replace("e-0", "e-")


CLAIMS = [
    Claim("rs_equals_is", PART, "Classifiers on reconstructions are as good as on images.", LARGE,
          lambda findings: "no significant difference", reconstructions_equal_images, where=TABLE1),
    Claim("ls_below_rs", PART, "Classifiers on latents are worse than on reconstructions in every pair of autoencoder "
          "and data set.", LARGE, _pairs, latents_below_everywhere, where=TABLE1),
    Claim("isic_range", PART, "On ISIC-2019 the gap exceeds 18 points for every autoencoder, up to 27.8.", LARGE,
          partial(_range, "isic2019"), partial(in_range, "isic2019"), ("isic2019",)),
    Claim("isic_significant", PART, "On ISIC-2019 the gap is significant for every autoencoder.", LARGE,
          lambda findings: "significant, paired t", partial(significant, "isic2019"), ("isic2019",)),
    Claim("mimic_range", PART, "On MIMIC-LT the gap is 6 to 13 points.", LARGE,
          partial(_range, "mimic_cxr_lt"), partial(in_range, "mimic_cxr_lt"), ("mimic_cxr_lt",)),
    Claim("mimic_significant", PART, "On MIMIC-LT the gap is significant for every autoencoder.", LARGE,
          lambda findings: "significant, paired t", partial(significant, "mimic_cxr_lt"), ("mimic_cxr_lt",)),
    Claim("isic_largest", PART, "The gap is largest on ISIC-2019.", f"{HERE}Why does the gap exist?",
          lambda findings: "largest of four data sets", largest),
    Claim("cardium_no_gap", PART, "On Cardium there is no significant gap.", LARGE,
          lambda findings: "not significant",
          lambda findings: no_effect(gaps(findings, dataset="cardium"), findings.margin, "points"), ("cardium",)),
    Claim("psnr_predicts_nothing", PART, "PSNR does not predict the gap.",
          f"{HERE}Reconstruction fidelity does not predict learnability", lambda findings: "no relationship",
          not_predicted_by_psnr, where=TABLE1),
    Claim("imbalance", PART, "All four data sets are imbalanced by more than 50 to 1.", f"{HERE}Setup",
          lambda findings: "more than 50", imbalanced, autoencoders=(), over_folds=False),
]  # fmt: skip
