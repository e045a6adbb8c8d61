"""Where in the decoder the gap closes: scores behind its first blocks, from the latents to the reconstructions."""

from collections.abc import Iterable, Sequence

import pandas as pd

from ..errors import InputError
from ..significance.rows import NOT_APPLICABLE
from ..storage.contracts import SCORES
from .caveats import chance_row
from .formats import render
from .frames import cells_by, score_rows
from .labels import Labels, data_notes, datasets_of, notice, present
from .layout import MISSING, SCORE_HEADS, Block, Layout, amount, cell_text, values_over_folds

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
    rows = []
    for (dataset, name), runs in metrics.groupby(["dataset", "autoencoder"], sort=False):
        whole = runs.get("decoder_gflop", pd.Series(dtype=float)).dropna()
        for (space, recipe), cell in runs.groupby(["space", "recipe"], sort=False):
            depth = STORED if space == "reconstruction" else blocks[recipe] or NONE
            gflop = {NONE: 0.0, STORED: whole.iloc[0] if len(whole) else NOT_APPLICABLE}.get(depth)
            gflop = cell["decoder_blocks_gflop"].iloc[0] if gflop is None else gflop
            where = f"The decoder's depth: dataset {dataset}, autoencoder {name}, space {space}, recipe {recipe}"
            identity = (dataset, name, cell["role"].iloc[0], depth, recipe)
            rows += [(*identity, *score, gflop) for score in score_rows(cell, folds, where)]
    if not rows:
        raise InputError("The decoder's depth: no metrics; expected one row per cell and fold; train the runs first")
    table = pd.DataFrame(rows, columns=DEPTH_COLUMNS)
    order = table.assign(depth=table["blocks"].map(DEPTHS.index), first=pd.factorize(table["dataset"])[0])
    order["second"] = pd.factorize(table["autoencoder"])[0]
    return table.loc[order.sort_values(["first", "second", "depth"], kind="stable").index].reset_index(drop=True)


def render_decoder_depth(table: pd.DataFrame, labels: Labels, footnotes: Iterable[str] = ()) -> dict[str, str]:
    """The table as md, html and tex: a block per autoencoder, a row per block and recipe, the price beside it."""
    cells = cells_by(table, ["dataset", "autoencoder", "blocks", "recipe", "metric"])
    datasets = datasets_of(table, labels)

    def block(autoencoder: str, label: str) -> Block:
        own = table[table["autoencoder"] == autoencoder].drop_duplicates(["blocks", "recipe"])
        return label, [
            [
                WORDS.get(row.blocks, row.blocks),
                row.recipe.replace("_", " "),
                MISSING if row.gflop == NOT_APPLICABLE else amount(float(row.gflop)),
                *(
                    cell_text(cells.get((dataset, autoencoder, row.blocks, row.recipe, metric)), True)
                    for dataset in datasets
                    for metric in SCORES
                ),
            ]
            for row in own.itertuples()
        ]

    caption = (
        "Classifiers of what the frozen decoder makes of latents up to one of its blocks, from the latents to the "
        "image before it is rounded and to the stored reconstructions: balanced accuracy (bACC), AUC and Matthews "
        f"correlation coefficient (MCC), {values_over_folds(table, True)}. GFLOP: of that part of the decoder, for one "
        "image."
        f"{notice(datasets, labels)}"
    )
    spanners = [(name, [*SCORE_HEADS.values()]) for name in datasets.values()]
    guess = chance_row([MISSING] * 3, datasets, SCORES, labels)
    blocks = [block(*pair) for pair in present(table["autoencoder"], labels.autoencoders).items()]
    heads = ["Autoencoder", "Up to", "Recipe", "GFLOP"]
    notes = [*footnotes, *data_notes(datasets, labels)]
    sections = [*([guess] if guess else []), *([each] for each in blocks)]
    return render(Layout("The decoder's depth", caption, heads, spanners, sections, notes))
