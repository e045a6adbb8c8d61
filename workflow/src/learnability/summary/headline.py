"""The first thing to read: balanced accuracy of each space, and the gap of every autoencoder and dataset."""

import numpy as np

from ..claims.findings import Cell, Findings
from ..claims.verdicts import ALPHA

SPACES = {"image": "Image space", "reconstruction": "Reconstruction space", "latent": "Latent space"}
FULL_COLOUR = 0.3  # the gap at which a cell has its strongest tint


def tiles(findings: Findings) -> list[dict]:
    """Balanced accuracy of each space, mean over datasets and families, and the mean gap."""
    table1 = findings.rows("table1", metric="balanced_accuracy", role=["baseline", "family"])
    found = []
    for space, label in SPACES.items():
        means = table1.loc[table1["space"] == space, "mean"].astype(float)
        if len(means):
            found.append(
                {"label": label, "value": f"{means.mean():.3f}".removeprefix("0"), "note": "balanced accuracy"}
            )
    effects = [cell.effect for cell in _gaps(findings).values()]
    if effects:
        note = f"points, {_points(min(effects), 1)} to {_points(max(effects), 1)} over {len(effects)} pairs"
        found.append({"label": "Learnability gap", "value": _points(np.mean(effects), 1), "note": note})
    return found


def gap_matrix(findings: Findings) -> dict:
    """The gap in points with its interval: a row per autoencoder, controls last, a column per dataset."""
    families, controls = _gaps(findings), _gaps(findings, "control")
    cells, datasets = families | controls, findings.datasets()
    rows = []
    for name in dict.fromkeys(name for name, _ in cells):
        control = (name, datasets[0]) in controls
        label = findings.autoencoder(name)
        shown = f"{label} (control)" if control and "control" not in label.lower() else label
        rows.append({"label": shown, "cells": [_shown(cells.get((name, dataset))) for dataset in datasets]})
    return {"datasets": [findings.dataset(name) for name in datasets], "rows": rows}


def _gaps(findings: Findings, role: str = "family") -> dict[tuple[str, str], Cell]:
    rows = findings.rows("latent_vs_reconstruction", test="corrected_paired_t", metric="balanced_accuracy", role=role)
    return {
        (row["autoencoder"], row["dataset"]): Cell(
            "", row["effect"], row["ci_low"], row["ci_high"], row["p_corrected"], int(row["n"])
        )
        for row in rows.to_dict("records")
    }


def _shown(cell: Cell | None) -> dict:
    if cell is None:
        return {"value": "–", "interval": "", "tint": 0, "sign": "none"}
    interval = f"{_points(cell.low)} to {_points(cell.high)}" if np.isfinite(cell.low) else ""
    mark = "*" if cell.p < ALPHA else ""
    return {
        "value": f"{_points(cell.effect, 1)}{mark}",
        "interval": interval,
        "tint": round(45 * min(1.0, abs(cell.effect) / FULL_COLOUR)),
        "sign": "gap" if cell.effect > 0 else "reverse",
    }


def _points(value: float, decimals: int = 0) -> str:
    return f"{round(100 * value, decimals) + 0.0:.{decimals}f}".replace("-", "−")
