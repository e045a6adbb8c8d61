"""What readers are told of the numbers about an encoding: their names, what they are, and which way they point."""

from typing import NamedTuple

from ..significance.diagnostics_vs_gap import SUSPECTS


class Words(NamedTuple):
    """`head` is for a narrow column, `label` for a sentence; `meaning` is one line, with what more of it says."""

    head: str
    label: str
    meaning: str


# By diagnostic and variant: those that Table 5, its figure and `learnability diagnose` show, in this order.
SHOWN = {
    SUSPECTS[0]: Words(
        "HF energy", "high-frequency energy",
        "share of the energy in the upper half of the spatial frequencies; more: finer patterns (white noise .5)",
    ),
    SUSPECTS[1]: Words(
        "Ch. corr.", "channel correlation",
        "mean absolute correlation of two channels; more: channels repeat each other",
    ),
    SUSPECTS[2]: Words(
        "Turn", "error of a quarter turn",
        "squared distance of E(turned x) from turned E(x) over the variance of latents; 0 is equivariant, 2 unrelated",
    ),
    ("radial_slope", "normalised"): Words(
        "Slope", "slope of power",
        "slope of log power over log frequency; closer to 0: more like white noise (natural images about −2)",
    ),
    ("effective_rank", "normalised"): Words(
        "Rank", "effective rank",
        "exponential of the entropy of the channels' covariance; more: more channels count",
    ),
    ("mle_dimension", "normalised"): Words(
        "Dim.", "intrinsic dimension",
        "of latents averaged over their cells, by maximum likelihood; more: less of a manifold",
    ),
    ("lds", "normalised;near=1,far=6"): Words(
        "Near", "near minus far cells",
        "cosine of neighbouring cells less that of distant ones; more: smoother",
    ),
    ("equivariance_encoder", "normalised;transform=flip"): Words(
        "Flip", "error of a flip", "as for a quarter turn",
    ),
    ("equivariance_decoder", "normalised;transform=turn"): Words(
        "Dec. turn", "turned latent, dB",
        "PSNR of the decoded turned E(x) against turned x; more: the decoder is equivariant",
    ),
    ("posterior_noise_share", "raw"): Words(
        "Noise", "posterior noise",
        "share of the posterior's noise in the variance of latents; more: noisier codes",
    ),
}  # fmt: skip


def label_of(diagnostic: str, variant: str) -> str:
    """What a sentence calls a number; one that is not among those shown, by its names."""
    words = SHOWN.get((diagnostic, variant))
    return words.label if words else f"{diagnostic.replace('_', ' ')} ({variant})"


def amount_of(value: float) -> str:
    """A number of any size in a narrow column: '.45', '−1.20', '24.6', '5,488'."""
    decimals = 0 if abs(value) >= 999.5 else 1 if abs(value) >= 9.995 else 2
    text = f"{round(value, decimals) + 0.0:,.{decimals}f}"
    return (text.replace("0.", ".", 1) if abs(value) < 0.995 else text).replace("-", "−")
