"""The first thing to read: balanced accuracy of each space, and the gap of every autoencoder and dataset."""

from collections.abc import Sequence

import numpy as np

from ..paper.findings import Effect, Findings
from ..paper.gap_claims import gaps
from ..significance.level import ALPHA
from ..study.words import counted
from ..tables.caveats import Spoiled
from ..tables.labels import marked
from ..tables.layout import points
from .spoiled import beside, chance_of_page

SPACES = {"image": "Image space", "reconstruction": "Reconstruction space", "latent": "Latent space"}
FULL_COLOUR = 0.3  # the gap at which a cell has its strongest tint


def tiles(findings: Findings) -> list[dict]:
    """Balanced accuracy of each space, mean over datasets and families, and the mean gap."""
    table1 = findings.rows("table1", metric="balanced_accuracy", role=["baseline", "family"])
    found, guess = [], chance_of_page(findings)
    note = f"mean balanced accuracy; chance {guess}" if guess else "mean balanced accuracy"
    for space, label in SPACES.items():
        means = table1.loc[table1["space"] == space, "mean"].astype(float)
        if len(means):
            found.append({"label": label, "value": f"{means.mean():.3f}".removeprefix("0"), "note": note})
    effects = [cell.effect for cell in gaps(findings)]
    if effects:
        note = f"points, the gap of {counted(1, 'pair')}"
        if len(effects) > 1:
            ends = f"{points(min(effects))} to {points(max(effects))}"
            note = f"points, the mean; range {ends} over {counted(len(effects), 'pair')}"
        found.append({"label": "Learnability gap", "value": points(np.mean(effects)), "note": note})
    return found


def gap_matrix(findings: Findings, found: Sequence[Spoiled] = ()) -> dict:
    """The gap in points with its interval: a row per autoencoder, controls last, a column per dataset.

    Beside each what spoils it, of `found`.
    """
    datasets, rows = findings.datasets(), []
    for role in ("family", "control"):
        for name in dict.fromkeys(findings.rows("latent_vs_reconstruction", role=role).get("autoencoder", [])):
            label = findings.autoencoder(name)
            shown = marked(label, role) if role == "control" else label
            cells = [
                _shown(gaps(findings, role=role, autoencoder=name, dataset=dataset))
                | {"spoiled": beside(found, dataset, name)}
                for dataset in datasets
            ]
            rows.append({"label": shown, "cells": cells})
    return {"datasets": [findings.dataset(name) for name in datasets], "rows": rows}


def _shown(cells: list[Effect]) -> dict:
    """One gap, or a dash where there is none."""
    if not cells:
        return {"value": "–", "interval": "", "tint": 0, "sign": "none"}
    (cell,) = cells
    interval = f"{points(cell.low, 0)} to {points(cell.high, 0)}" if np.isfinite(cell.low) else ""
    mark = "*" if cell.p_corrected < ALPHA else ""
    return {
        "value": f"{points(cell.effect)}{mark}",
        "interval": interval,
        "tint": round(45 * min(1.0, abs(cell.effect) / FULL_COLOUR)),
        "sign": "gap" if cell.effect > 0 else "reverse",
    }
