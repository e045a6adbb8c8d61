"""Where in the decoder the gap closes: scores behind its first blocks, from the latents to the reconstructions."""

from collections.abc import Iterable, Sequence

import pandas as pd

from ..errors import InputError
from ..significance.rows import NOT_APPLICABLE
from .frames import score_rows
from .labels import Labels
from .layout import MISSING, amount, scores_over_folds
from .scores import render_scores

NONE, STORED = "none", "stored"  # the latents themselves; the reconstructions of encode_dataset
DEPTHS = (NONE, "conv_in", "mid", *(f"up_{k}" for k in range(1, 10)), "all", STORED)
DEPTH_COLUMNS = ["dataset", "autoencoder", "role", "blocks", "recipe", "metric", "mean", "sd", "n_folds", "gflop"]
WORDS = {NONE: "latents", "all": "whole decoder", STORED: "reconstructions"}


def decoder_depth(metrics: pd.DataFrame, blocks: dict[str, str | None], folds: Sequence[int]) -> pd.DataFrame:
    """DEPTH_COLUMNS per dataset, autoencoder, recipe and metric, in the order of depth; sd with ddof 1.

    `blocks` names the block of each recipe; without one a recipe sees the latents (`none`) or the reconstructions
    (`stored`). `gflop` is what stands before the classifier, for one image: 0 before latents, the whole decoder before
    reconstructions, "n/a" where no run counted it.
    """
    if metrics.empty:
        raise InputError("The decoder's depth: no metrics; expected one row per cell and fold; train the runs first")
    rows = []
    for (dataset, name), runs in metrics.groupby(["dataset", "autoencoder"], sort=False):
        own = []
        whole = runs.get("decoder_gflop", pd.Series(dtype=float)).dropna()
        for (space, recipe), cell in runs.groupby(["space", "recipe"], sort=False):
            depth = STORED if space == "reconstruction" else blocks[recipe] or NONE
            gflop = {NONE: 0.0, STORED: whole.iloc[0] if len(whole) else NOT_APPLICABLE}.get(depth)
            gflop = cell["decoder_blocks_gflop"].iloc[0] if gflop is None else gflop
            where = f"The decoder's depth: dataset {dataset}, autoencoder {name}, space {space}, recipe {recipe}"
            identity = (dataset, name, cell["role"].iloc[0], depth, recipe)
            own += [(*identity, *score, gflop) for score in score_rows(cell, folds, where)]
        rows += sorted(own, key=lambda row: DEPTHS.index(row[DEPTH_COLUMNS.index("blocks")]))
    return pd.DataFrame(rows, columns=DEPTH_COLUMNS)


def render_decoder_depth(table: pd.DataFrame, labels: Labels, footnotes: Iterable[str] = ()) -> dict[str, str]:
    """The table as md, html and tex: a block per autoencoder, a row per block and recipe, the price beside it."""
    caption = (
        "Classifiers of what the frozen decoder makes of latents up to one of its blocks, from the latents to the "
        f"image before it is rounded and to the stored reconstructions: {scores_over_folds(table)}. GFLOP: of that "
        "part of the decoder, for one image."
    )
    stubs = {
        "Up to": lambda row: WORDS.get(row["blocks"], row["blocks"]),
        "Recipe": lambda row: row["recipe"].replace("_", " "),
        "GFLOP": lambda row: MISSING if row["gflop"] == NOT_APPLICABLE else amount(float(row["gflop"])),
    }
    return render_scores("The decoder's depth", caption, table, labels, ["blocks", "recipe"], stubs, footnotes)
