"""Claims about fidelity, and about what fine-tuning the autoencoder does."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from scipy import stats

from ..significance.groups import CELL_TEST
from ..significance.level import ALPHA
from .claim import HERE, Claim, theirs_alone
from .findings import PAPER_AUTOENCODERS, PAPER_DATASETS, Effect, Findings
from .verdicts import NO_CELL, Verdict, all_positive, no_effect, untestable

PART = "Fidelity and fine-tuning"
TUNING = f"{HERE}Medical fine-tuning does not close the gap"
FIDELITY = f"{HERE}Reconstruction fidelity does not predict learnability"
UNPAIRED = "z of means over images, taken as unpaired"
MEDVAE = ("medvae", "medvae_ft")
MIMIC = "mimic_cxr_lt"


def pairs(findings: Findings) -> list[tuple[str, str]]:
    """(fine-tuned, base) of the study's comparisons."""
    rows = findings.rows("finetuning")
    names = [] if rows.empty else dict.fromkeys(rows["comparison"])
    return [tuple(name.split("_vs_")) for name in names if not name.endswith("_in_reconstruction")]


def tuned(findings: Findings) -> tuple[list[str], list[str]]:
    """The datasets of these comparisons, and MedVAE with and without fine-tuning, or else the study's own pairs."""
    names = [name for pair in pairs(findings) for name in pair]
    return findings.of("finetuning")[0], theirs_alone(names, MEDVAE)


def tuned_but_mimic(findings: Findings) -> tuple[list[str], list[str]]:
    """Without the one dataset on which the paper has a rise."""
    datasets, names = tuned(findings)
    return [name for name in datasets if name != MIMIC], names


def macro_psnr(findings: Findings, first: str, second: str, datasets: Sequence[str]) -> Effect | None:
    """Mean over these datasets of the difference of two autoencoders' PSNR, with the error of its means over images."""
    rows = findings.rows("table2", metric="psnr")
    if rows.empty:
        return None
    rows = rows.set_index(["autoencoder", "dataset"])
    if any((name, dataset) not in rows.index for name in (first, second) for dataset in datasets):
        return None
    first_rows, second_rows = (rows.loc[[(name, dataset) for dataset in datasets]] for name in (first, second))
    effect = first_rows["mean"].mean() - second_rows["mean"].mean()
    sides = ((side, (side["n"] - side["identical"]).to_numpy(float)) for side in (first_rows, second_rows))
    variance = sum((side["sd"].to_numpy() ** 2 / images).sum() for side, images in sides)
    error = np.sqrt(variance) / len(datasets)
    if not np.isfinite(effect) or not error > 0:
        return None
    half, p = error * stats.norm.ppf(1 - ALPHA / 2), 2 * stats.norm.sf(abs(effect) / error)
    name = f"{findings.autoencoder(first)} less {findings.autoencoder(second)}"
    return Effect(name, effect, effect - half, effect + half, p, int(rows["n"].min()), np.inf)


def raises_psnr(findings: Findings) -> Verdict:
    cells = [macro_psnr(findings, *pair, tuned(findings)[0]) for pair in pairs(findings)]
    before, after = (findings.known(kind="fidelity", dataset="macro", autoencoder=name)[0] for name in MEDVAE)
    return all_positive([cell for cell in cells if cell], after - before, "dB", test=UNPAIRED)


def highest_psnr(findings: Findings) -> Verdict:
    """FLUX.2's macro PSNR is above that of every other family of the paper."""
    others = [name for name in PAPER_AUTOENCODERS if name != "flux2"]
    cells = [macro_psnr(findings, "flux2", name, PAPER_DATASETS) for name in others]
    return untestable(NO_CELL) if None in cells else all_positive(cells, 0.05, "dB", test=UNPAIRED)


def tuned_against_base(findings: Findings, space: str, **where) -> list[Effect]:
    suffix = "" if space == "latent" else "_in_reconstruction"
    names = [f"{first}_vs_{second}{suffix}" for first, second in pairs(findings)]
    return [cell for name in names for cell in findings.tested("group_level", CELL_TEST, name, **where)]


def leaves_latents(findings: Findings) -> Verdict:
    """No rise in latent space above the margin, but for the one dataset on which the paper has one."""
    cells = tuned_against_base(findings, "latent", dataset=tuned_but_mimic(findings)[0])
    return no_effect(cells, findings.margin, one_sided=True)


def rises(space: str, dataset: str, findings: Findings) -> Verdict:
    cells = tuned_against_base(findings, space, dataset=dataset)
    return all_positive(cells, findings.margin, "points", findings.margin)


def _psnr(findings: Findings) -> str:
    return "from {:.1f} to {:.1f} dB".format(
        *(findings.known(kind="fidelity", dataset="macro", autoencoder=name)[0] for name in MEDVAE)
    )


def _latent(findings: Findings) -> str:
    before, after = (findings.known(kind="score", autoencoder=name)[0] for name in MEDVAE)
    return f"from {before:.3f} to {after:.3f} macro, significant on MIMIC-LT alone"


CLAIMS = [
    Claim("ft_raises_psnr", PART, "Fine-tuning the autoencoder raises PSNR.", TUNING, _psnr, raises_psnr,
          autoencoders=MEDVAE, where=tuned, over_folds=False),
    Claim("flux2_highest_psnr", PART, "Flux.2 has the highest macro PSNR.", FIDELITY,
          lambda findings: f"{findings.known(kind='fidelity', dataset='macro', autoencoder='flux2')[0]:.1f} dB",
          highest_psnr, over_folds=False),
    Claim("ft_leaves_latents", PART, "Fine-tuning does not improve classification of latents (but on MIMIC-LT).",
          TUNING, _latent, leaves_latents, tuple(name for name in PAPER_DATASETS if name != MIMIC), MEDVAE,
          where=tuned_but_mimic),
    Claim("ft_latents_on_mimic", PART, "On MIMIC-LT fine-tuning improves classification of latents.", TUNING,
          lambda findings: "significant, paired t", partial(rises, "latent", MIMIC), (MIMIC,), MEDVAE),
    Claim("ft_reconstructions_on_mimic", PART, "On MIMIC-LT fine-tuning improves classification of reconstructions.",
          TUNING, lambda findings: "rises", partial(rises, "reconstruction", MIMIC), (MIMIC,), MEDVAE),
    Claim("ft_reconstructions_on_isic", PART, "On ISIC-2019 fine-tuning improves classification of reconstructions.",
          TUNING, lambda findings: "rises", partial(rises, "reconstruction", "isic2019"), ("isic2019",), MEDVAE),
]  # fmt: skip
