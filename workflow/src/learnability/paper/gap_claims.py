"""Claims about the gap: reconstructions against images and against latents."""

from dataclasses import replace
from functools import partial

import numpy as np
from scipy import stats

from ..significance.groups import CELL_TEST, DATASET_TEST, OF_THESE
from ..significance.level import ALPHA, P_BELOW
from .claim import HERE, Claim, of_table, percent
from .findings import PAPER_DATASETS, Effect, Findings, effect_of
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
    untestable,
    within,
)

PART = "The gap"
LARGE = f"{HERE}The learnability gap is large and consistent"
TABLE1 = of_table("table1")
PERMUTED = "Pearson within data sets, permutation of autoencoders"


def gaps(findings: Findings, **where) -> list[Effect]:
    """Reconstruction minus latent of every family and dataset, or of those in `where`, tested over groups of images."""
    return findings.tested("group_level", CELL_TEST, "reconstruction_vs_latent", **where)


def over_study(findings: Findings, test: str, comparison: str) -> Effect | None:
    """The mean over the study's datasets and families, of study_level.csv."""
    rows = findings.rows("study_level", test=test, comparison=comparison)
    return None if rows.empty else effect_of(rows.iloc[0].to_dict(), "")


def reconstructions_equal_images(findings: Findings) -> Verdict:
    """TOST of the mean over the study's datasets."""
    cell = over_study(findings, OF_THESE, "reconstruction_vs_image")
    found = no_effect([cell] if cell else [], findings.margin)
    if cell is None:
        return found
    text = f"{in_words(cell, 'points')} over {cell.n} data set{'s' if cell.n > 1 else ''}"
    return replace(found, measured=text, test="TOST over groups, mean over data sets")


def latents_below_everywhere(findings: Findings) -> Verdict:
    """For the paper no gap is too small to count, so none is equal to zero here."""
    return all_positive(gaps(findings), findings.margin, "points", 0.0)


def in_range(dataset: str, findings: Findings) -> Verdict:
    low, high = findings.known(kind="gap", dataset=dataset, autoencoder="n/a", place=LARGE)
    return within(gaps(findings, dataset=dataset), low, high)


def significant(dataset: str, findings: Findings) -> Verdict:
    low, _ = findings.known(kind="gap", dataset=dataset, autoencoder="n/a", place=LARGE)
    return all_positive(gaps(findings, dataset=dataset), low, "points", findings.margin)


def largest(findings: Findings) -> Verdict:
    """ISIC-2019's mean gap over the families is above that of every other dataset (intersection-union test)."""
    means = {name: _mean_of(findings, name) for name in PAPER_DATASETS}
    if not all(means.values()):
        return untestable(NO_CELL)
    first = means.pop("isic2019")
    isic, _ = findings.known(kind="gap", dataset="isic2019", autoencoder="n/a", place=LARGE)
    _, mimic = findings.known(kind="gap", dataset="mimic_cxr_lt")
    cells = [_less(first, other) for other in means.values()]
    test = "t between data sets, every comparison at the level"
    return all_positive(cells, isic - mimic, "points", findings.margin, test)


def _mean_of(findings: Findings, dataset: str) -> Effect | None:
    """The mean over families: tested as such, else of families whose error is at most the mean of theirs."""
    where, name = {"test": DATASET_TEST, "comparison": "reconstruction_vs_latent"}, findings.dataset(dataset)
    rows = findings.rows("group_level", dataset=dataset, **where)
    if len(rows):
        return effect_of(rows.iloc[0].to_dict(), name)
    cells = gaps(findings, dataset=dataset)
    if not cells:
        return None
    effect, error = (float(np.mean([getattr(cell, part) for cell in cells])) for part in ("effect", "error"))
    least = min(cells, key=lambda cell: cell.freedom)
    half = error * stats.t.ppf(1 - ALPHA / 2, least.freedom)
    return Effect(name, effect, effect - half, effect + half, np.nan, least.n, least.freedom)


def _less(first: Effect, second: Effect) -> Effect:
    """The difference of two independent effects, with Satterthwaite's degrees of freedom."""
    effect, variances = first.effect - second.effect, [first.error**2, second.error**2]
    error, name = np.sqrt(sum(variances)), f"{first.name} less {second.name}"
    if not error > 0:
        return Effect(name, effect, np.nan, np.nan, np.nan, min(first.n, second.n))
    parts = zip(variances, (first.freedom, second.freedom), strict=True)
    df = sum(variances) ** 2 / sum(variance**2 / freedom for variance, freedom in parts)
    half, p = error * stats.t.ppf(1 - ALPHA / 2, df), 2 * stats.t.sf(abs(effect) / error, df)
    return Effect(name, effect, effect - half, effect + half, p, min(first.n, second.n), df)


def not_predicted_by_psnr(findings: Findings) -> Verdict:
    """Pearson's r within datasets; no relationship means an interval within ±CORRELATION_MARGIN."""
    rows = findings.rows("fidelity_vs_gap", test="pearson_within_dataset")
    if rows.empty or np.isnan(rows.iloc[0]["effect"]):
        return untestable("too few pairs of autoencoder and data set for a correlation")
    row = rows.iloc[0]
    cell = Effect("", row["effect"], row["ci_low"], row["ci_high"], row["p"], int(row["n"]))
    text = f"r = {in_words(cell, '')} over {cell.n} pairs"
    found = Verdict(SUPPORTED, f"|r| below {CORRELATION_MARGIN}", text, cell, PERMUTED, row["p"])
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
          lambda findings: no_effect(gaps(findings, dataset="cardium"), findings.margin), ("cardium",)),
    Claim("psnr_predicts_nothing", PART, "PSNR does not predict the gap.",
          f"{HERE}Reconstruction fidelity does not predict learnability", lambda findings: "no relationship",
          not_predicted_by_psnr, where=TABLE1),
    Claim("imbalance", PART, "All four data sets are imbalanced by more than 50 to 1.", f"{HERE}Setup",
          lambda findings: "more than 50", imbalanced, autoencoders=(), over_folds=False),
]  # fmt: skip
