"""Beyond the paper: whether the gap holds over data sets, under one protocol, and against a lossless control."""

from dataclasses import replace
from functools import partial

import numpy as np

from ..significance.groups import OF_A_FURTHER, OF_THESE
from ..significance.remedies import GAP
from ..significance.rows import CELL_TEST, of_first_recipe
from ..study.truths import DECODER_BLOCKS, NONE, REMEDIES
from .claim import Claim, of_table
from .findings import Findings, decomposed_effect, effect_of
from .gap_claims import TABLE1, over_study
from .suspicion_claims import named
from .verdicts import NO_CELL, Verdict, all_positive, in_words, untestable

PART = "Beyond the paper"
OURS = "not in the paper"


def over_datasets(findings: Findings) -> Verdict:
    """The mean over the study's datasets, for only these; a t over their means is about a further one."""
    these, further = (over_study(findings, test, "reconstruction_vs_latent") for test in (OF_THESE, OF_A_FURTHER))
    if not these:
        return untestable(NO_CELL)
    size, count = findings.margin, f"{these.n} data set{'s' if these.n > 1 else ''}"
    found = all_positive([these], size, "points", size, "paired t over groups, for these data sets")
    said = f"; for a further data set p = {further.p:.2g}" if further and further.p >= 0 else ""
    return replace(found, measured=f"{in_words(these, 'points')}, mean over {count}{said}")


def decomposed(gap: str, findings: Findings) -> Verdict:
    """One gap of gap_decomposition.csv in every cell, by the first recipe."""
    rows = findings.decomposed()
    rows = of_first_recipe(rows) if len(rows) else rows
    cells = [
        decomposed_effect(row, gap, findings.pair(row["autoencoder"], row["dataset"]))
        for row in rows.to_dict("records")
        if not np.isnan(row[gap])
    ]
    if not cells:
        return untestable("the gap is not decomposed in this study, or has no lossless control")
    return all_positive(cells, findings.margin, "points", findings.margin)


def despite(findings: Findings) -> Verdict:
    """The gap with each remedy, in every cell; behind all of the decoder latents are reconstructions, so not there."""
    rows = findings.rows(REMEDIES, test=CELL_TEST, comparison=GAP, role="family")
    rows = [row for row in rows.to_dict("records") if row["remedy"] not in (NONE, DECODER_BLOCKS)]
    names = [
        f"{named((row['remedy'], row['recipe']))}, {findings.pair(row['autoencoder'], row['dataset'])}" for row in rows
    ]
    return all_positive(list(map(effect_of, rows, names)), findings.margin, "points", findings.margin)


def tried(findings: Findings) -> tuple[list[str], list[str]]:
    """The datasets and families of Table 6."""
    rows = findings.rows(REMEDIES, test=CELL_TEST, role="family")
    return [*dict.fromkeys(rows.get("dataset", []))], [*dict.fromkeys(rows.get("autoencoder", []))]


DECOMPOSED = of_table("gap_decomposition")
CLAIMS = [
    Claim("gap_over_datasets", PART, "The gap holds over data sets, of which the autoencoders are no independent "
          "samples.", OURS, lambda findings: OURS, over_datasets, where=TABLE1),
    Claim("gap_matched", PART, "The gap stays when network, start, augmentation and masking are the same in every "
          "space.", OURS, lambda findings: OURS, partial(decomposed, "gap_matched"), where=DECOMPOSED),
    Claim("gap_encoding", PART, "The gap is larger than that of a lossless rearrangement of the image on the same "
          "grid: the encoding itself costs accuracy.", OURS, lambda findings: OURS, partial(decomposed, "gap_encoding"),
          where=DECOMPOSED),
    Claim("gap_despite_remedies", PART, "The gap stays with every remedy: maps of the latents, views, equivariant "
          "fine-tuning.", OURS, lambda findings: OURS, despite, where=tried),
]  # fmt: skip
