"""What spoils the numbers of the page, beside each of them and in sentences."""

from collections.abc import Mapping, Sequence

import pandas as pd

from ..paper.findings import Findings
from ..significance.chance import chance
from ..tables.caveats import CHANCE, PSNR, Spoiled, at_chance, below_psnr, stopped_early

WORDS = {(CHANCE, "image"): "images at chance", (CHANCE, "reconstruction"): "reconstructions at chance"}
WORDS |= {(CHANCE, "latent"): "latents at chance", (PSNR, "reconstruction"): PSNR}


def spoiled(findings: Findings, metrics: pd.DataFrame, reweighting: Mapping[str, int]) -> list[Spoiled]:
    """All that is known against scores of Table 1; `metrics` are its runs, `reweighting` is the epoch by space."""
    table2 = findings.frames.get("table2")
    found = at_chance(findings.frames["table1"], findings.labels, findings.n_splits)
    return [*found, *(below_psnr(table2) if table2 is not None else []), *stopped_early(metrics, reweighting)]


def beside(found: Sequence[Spoiled], dataset: str, autoencoder: str) -> str:
    """The words beside the gap of a cell, which images at chance spoil too; "" where nothing does."""
    own = [each for each in found if each.dataset == dataset and each.autoencoder in (autoencoder, "original")]
    of_gap = [each for each in own if each.autoencoder != "original" or each.kind == CHANCE]
    return ", ".join(dict.fromkeys(WORDS.get((each.kind, each.space), each.kind) for each in of_gap))


def chance_of_page(findings: Findings) -> str:
    """Chance in balanced accuracy: '.250', or '.125 to .500, by data set'; "" where it is not known."""
    counts = [findings.labels.counts[name] for name in findings.datasets() if name in findings.labels.counts]
    values = sorted({f"{chance(len(each), 'balanced_accuracy'):.3f}".removeprefix("0") for each in counts})
    ends = " to ".join(dict.fromkeys([*values[:1], *values[-1:]]))
    return f"{ends}, by data set" if len(values) > 1 else ends
