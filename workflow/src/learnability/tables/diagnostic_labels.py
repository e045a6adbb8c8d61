"""What readers are told of the numbers about an encoding: their names, what they are, and which way they point."""

from typing import NamedTuple

from ..significance.diagnostics_vs_gap import SUSPECTS


class Words(NamedTuple):
    """`head` is for a narrow column, `label` for a sentence; `meaning` is one line, with what more of it says."""

    head: str
    label: str
    meaning: str


# By diagnostic and variant, in the order of their columns and panels.
IN_TABLE5 = {
    SUSPECTS[0]: Words(
        "HF", "high-frequency energy",
        "share of the energy in the upper half of the spatial frequencies; more: finer patterns (white noise .5)",
    ),
    SUSPECTS[1]: Words(
        "Corr.", "channel correlation", "mean absolute correlation of two channels; more: channels repeat each other"
    ),
    SUSPECTS[2]: Words(
        "Turn", "error of a quarter turn",
        "squared distance of E(turned x) from turned E(x) over the variance of latents; 0 is equivariant, 2 unrelated",
    ),
    ("radial_slope", "normalised"): Words(
        "Slope", "slope of power",
        "slope of log power over log frequency; closer to 0: more like white noise",
    ),
    ("effective_rank", "normalised"): Words(
        "Rank", "effective rank", "of the covariance of the channels; more: more of the channels count"
    ),
    ("lnc", "normalised;k=20"): Words(
        "LNC", "neighbours of the same class",
        "share of the 20 nearest latents of other groups that have the same class, less chance; more: classes lie "
        "apart",
    ),
    ("within_share", "normalised"): Words(
        "Within", "variance within classes",
        "share of the variance of averaged latents that lies within classes; 1: classes explain nothing",
    ),
    ("posterior_noise_share", "raw"): Words(
        "Noise", "posterior noise", "share of the posterior's noise in the variance of latents; more: noisier codes"
    ),
}  # fmt: skip
ELSEWHERE = {
    ("mle_dimension", "normalised"): Words(
        "Dim.", "intrinsic dimension", "of latents averaged over their cells; more: they fill more directions"
    ),
    ("lds", "normalised;near=1,far=6"): Words(
        "Near", "near minus far cells", "cosine of neighbouring cells less that of distant ones; more: smoother"
    ),
    ("equivariance_encoder", "normalised;transform=flip"): Words("Flip", "error of a flip", "as for a quarter turn"),
    ("equivariance_decoder", "normalised;transform=turn"): Words(
        "Decoder", "turned latent, dB",
        "PSNR of the decoded turned E(x) against turned x; more: the decoder is equivariant",
    ),
}  # fmt: skip


def label_of(diagnostic: str, variant: str) -> str:
    """What a sentence calls a number; one that has no words of its own, by its names."""
    words = (IN_TABLE5 | ELSEWHERE).get((diagnostic, variant))
    return words.label if words else f"{diagnostic.replace('_', ' ')} ({variant})"


def amount_of(value: float) -> str:
    """A number of any size in a narrow column: '.45', '−1.20', '24.6', '5,488'."""
    decimals = 0 if abs(value) >= 999.5 else 1 if abs(value) >= 9.995 else 2
    text = f"{round(value, decimals) + 0.0:,.{decimals}f}"
    return (text.replace("0.", ".", 1) if abs(value) < 0.995 else text).replace("-", "−")
