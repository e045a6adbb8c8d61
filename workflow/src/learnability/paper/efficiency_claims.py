"""Claims about efficiency: Table 3, of which there is one measurement."""

from functools import partial

from ..tables.layout import amount, device_in_words
from ..tables.table3 import headline
from .claim import HERE, Claim, of_table, percent
from .findings import PAPER_AUTOENCODERS, Findings
from .verdicts import Verdict, of_one_size, untestable

PART = "Efficiency"
FAST = f"{HERE}Latent classifiers are fast"
ELSEWHERE = "the authors' README and abstract of the proceedings"
SPEED, MEMORY = "inference_samples_per_second", "inference_peak_mb"
IMAGENET = ("imagenet",)
CHUNKS = "images are decoded a few at a time, whatever the batch, so the peak is that of our chunks, not of the batch"


def rows(findings: Findings) -> dict[str, dict[str, float]]:
    """The rows of Table 3 at its headline batch size; none where the study has no Table 3."""
    table = findings.frames.get("table3")
    if table is None:
        return {}
    return {key[0]: values for key, values in headline(table).items()}


def as_published(findings: Findings) -> bool:
    """Is Table 3 of ImageNet, encoded by an autoencoder of the paper? Which of them it was the paper does not say."""
    datasets, autoencoders = findings.of("table3")
    return datasets == [*IMAGENET] and autoencoders != [] and {*autoencoders} <= {*PAPER_AUTOENCODERS}


def gains(first: str, second: str, published, findings: Findings) -> Verdict:
    """Points of balanced accuracy under one budget."""
    found = rows(findings)
    if not as_published(findings):
        return untestable("this study has no Table 3 of ImageNet by an autoencoder of the paper")
    if not {first, second} <= found.keys():
        return untestable(f"Table 3 of this study lacks the row {first} or {second}")
    gain = found[first]["balanced_accuracy"] - found[second]["balanced_accuracy"]
    return of_one_size(gain, published(findings), percent(gain, gain))


def ratio(metric: str, findings: Findings) -> Verdict:
    """Latent to image in speed, image to latent in memory; on a GPU, because the published ones are."""
    found = rows(findings)
    if not {"latent", "image"} <= found.keys():
        return untestable("Table 3 of this study lacks the row latent or image")
    sides = found["latent"][metric], found["image"][metric]
    measured = sides[0] / sides[1] if metric == SPEED else sides[1] / sides[0]
    device = findings.frames["table3"]["device"].iloc[0]
    verdict = of_one_size(measured, _ratio(metric, findings), f"{amount(measured)} on {device_in_words(device)}")
    if device.endswith("thread(s)"):
        return untestable("measured on a CPU, published on a GPU", verdict)
    return untestable(CHUNKS, verdict) if metric == MEMORY else verdict


def _ratio(metric: str, findings: Findings) -> float:
    return findings.known(kind="ratio", metric=metric)[0]


def _gain(findings: Findings) -> float:
    return findings.known(kind="gain")[0]


def _distillation(findings: Findings) -> float:
    scores = [
        findings.known(kind="efficiency", row=row, metric="balanced_accuracy")[0]
        for row in ("latent_distilled", "latent")
    ]
    return scores[0] - scores[1]


def _points(value, findings: Findings) -> str:
    return percent(value(findings), value(findings))


TABLE3 = of_table("table3")
CLAIMS = [
    Claim("budget_gain", PART, "On ImageNet, in one time budget, a latent classifier reaches 17 points more than one "
          "that decodes its images.", FAST, partial(_points, _gain), partial(gains, "latent", "image", _gain),
          IMAGENET, where=TABLE3, over_folds=False),
    Claim("budget_distillation", PART, "On ImageNet, in that budget, distillation adds to it.", FAST,
          partial(_points, _distillation), partial(gains, "latent_distilled", "latent", _distillation), IMAGENET,
          where=TABLE3, over_folds=False),
    Claim("speed", PART, "A latent classifier is 64 times as fast as decoding and classifying images.", ELSEWHERE,
          lambda findings: f"{_ratio(SPEED, findings):g}", partial(ratio, SPEED), IMAGENET, where=TABLE3,
          over_folds=False),
    Claim("memory", PART, "A latent classifier needs a 120th of the memory.", ELSEWHERE,
          lambda findings: f"{_ratio(MEMORY, findings):g}", partial(ratio, MEMORY), IMAGENET, where=TABLE3,
          over_folds=False),
]  # fmt: skip
