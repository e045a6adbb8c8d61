"""Claims about what narrows the gap: distillation, search, noise conditioning, other networks and starts."""

from dataclasses import replace
from functools import partial

import numpy as np
from scipy import stats

from ..significance.level import ALPHA
from .claim import HERE, Claim, of_table, percent, theirs_alone
from .findings import Effect, Findings
from .verdicts import OVER_FOLDS, Verdict, all_positive, no_effect, untestable, within

PART = "What narrows the gap"
TABLE4 = f"{HERE}Latent classifier ablation, Table 4"
FLUX2 = ("flux2",)
VARIANTS = ("latent_random_init", "latent_resnet50", "latent_convnext_small")


def table4(findings: Findings) -> tuple[list[str], list[str]]:
    """The datasets of Table 4, and FLUX.2, or else the study's own autoencoders."""
    datasets, names = findings.of("table4")
    return datasets, theirs_alone(names, FLUX2)


def macro(findings: Findings, comparison: str, metric: str) -> list[Effect]:
    return findings.tested("ablation", "corrected_paired_t", comparison, metric, dataset="macro")


def effect(first: str, second: str, metric: str, findings: Findings) -> float:
    """The published difference of two rows of Table 4."""
    return _known(findings, first, metric) - _known(findings, second, metric)


def raises(first: str, second: str, metric: str, findings: Findings) -> Verdict:
    cells, published = macro(findings, f"{first}_vs_{second}", metric), effect(first, second, metric, findings)
    return all_positive(cells, published, "", test=OVER_FOLDS)


def lowers(first: str, second: str, metric: str, findings: Findings) -> Verdict:
    """As `raises`, of the negative: intervals are those of second minus first."""
    cells = [cell.negated() for cell in macro(findings, f"{first}_vs_{second}", metric)]
    return all_positive(cells, -effect(first, second, metric, findings), "", test=OVER_FOLDS)


def costs_little(findings: Findings) -> Verdict:
    """The published loss is a seventh of the margin, so the claim denies a loss above it; a gain is no loss."""
    cells = [cell.negated() for cell in macro(findings, "noise_conditioned_vs_tuned", "balanced_accuracy")]
    losses = [replace(cell, name=f"tuned less noise-conditioned, {cell.name}") for cell in cells]
    return no_effect(losses, findings.margin, one_sided=True, over="over folds, Nadeau and Bengio")


def residual(findings: Findings) -> Verdict:
    low, high = findings.known(kind="residual_gap")
    cells = findings.tested(
        "ablation", "corrected_paired_t", "noise_conditioned_vs_reconstruction", dataset=table4(findings)[0]
    )
    return within([cell.negated() for cell in cells], low, high)


def persists(findings: Findings) -> Verdict:
    """Reconstruction minus each variant of the latent classifier, macro, from means and sd taken as unpaired."""
    rows = findings.rows("ablation_controls", dataset="macro", metric="balanced_accuracy")
    cells = []
    for autoencoder in dict.fromkeys(rows.get("autoencoder", [])):
        own = rows[rows["autoencoder"] == autoencoder].set_index(["space", "row"])
        for variant in VARIANTS:
            if {("reconstruction", "image"), ("latent", variant)} <= {*own.index}:
                sides = own.loc[("reconstruction", "image")], own.loc[("latent", variant)]
                name = f"{variant.removeprefix('latent_').replace('_', ' ')} ({findings.autoencoder(autoencoder)})"
                cells.append(_unpaired(*sides, findings.n_splits, name))
    test = "Welch's t over folds, Nadeau and Bengio, every comparison at the level"
    if not cells:
        return untestable("no variant in this study")
    return all_positive(cells, findings.margin, "points", findings.margin, test)


def _unpaired(first, second, n_splits: int, name: str) -> Effect:
    """Difference of two means over k folds, each one of `n_splits`: it tests, another validates, the rest train."""
    k = int(first["n_folds"])
    difference = first["mean"] - second["mean"]
    if k < 2:
        return Effect(name, difference, np.nan, np.nan, np.nan, k)
    error = np.sqrt((first["sd"] ** 2 + second["sd"] ** 2) * (1 / k + 1 / (n_splits - 2)))
    half, p = error * stats.t.ppf(1 - ALPHA / 2, k - 1), 2 * stats.t.sf(abs(difference) / error, k - 1)
    return Effect(name, difference, difference - half, difference + half, p, k)


def _known(findings: Findings, row: str, metric: str) -> float:
    return findings.known(kind="ablation", row=row, metric=metric)[0]


def _from_to(first: str, second: str, metric: str, findings: Findings) -> str:
    return f"from {_known(findings, second, metric):.3f} to {_known(findings, first, metric):.3f}"


def _claim(key: str, statement: str, judge, first: str, second: str, metric: str) -> Claim:
    words, verdict = (partial(function, first, second, metric) for function in (_from_to, judge))
    return Claim(key, PART, statement, TABLE4, words, verdict, autoencoders=FLUX2, where=table4)


CLAIMS = [
    _claim("distillation_raises_auc", "Distillation raises the macro AUC over a plain latent classifier.",
           raises, "distilled", "latent", "auc"),
    _claim("tuning_lowers_auc", "With the search, the macro AUC is below that of a plain latent classifier.",
           lowers, "tuned", "latent", "auc"),
    _claim("noise_raises_auc", "Noise conditioning raises the macro AUC over the tuned classifier.",
           raises, "noise_conditioned", "tuned", "auc"),
    _claim("noise_raises_mcc", "Noise conditioning raises the macro MCC over the tuned classifier.",
           raises, "noise_conditioned", "tuned", "mcc"),
    Claim("noise_costs_little", PART, "Noise conditioning costs next to no macro balanced accuracy.", TABLE4,
          partial(_from_to, "noise_conditioned", "tuned", "balanced_accuracy"), costs_little, autoencoders=FLUX2,
          where=table4),
    Claim("residual_gap", PART, "After all of it, reconstructions are still 4 to 11 points better.", TABLE4,
          lambda findings: percent(*findings.known(kind="residual_gap")), residual, autoencoders=FLUX2,
          where=table4),
    Claim("persists", PART, "The gap stays with another network or start of the latent classifier.",
          f"{HERE}Why does the gap exist?", lambda findings: "persists", persists,
          where=of_table("ablation_controls")),
]  # fmt: skip
