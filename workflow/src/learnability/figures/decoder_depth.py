"""Balanced accuracy over the decoder's depth: where the gap closes."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import InputError
from ..tables.depth import DEPTHS, NONE, STORED
from ..tables.labels import Labels, datasets_of, present
from .style import DASHED, DOTTED, QUIET, SPACES, Mark, add_legend, add_note, dataset_panels, marks_of, styled

SHOWN = {NONE: "z", "conv_in": "conv in", "all": "x̂"}  # the ends of the axis; other blocks by their names


@styled
def draw_decoder_depth(table: pd.DataFrame, labels: Labels) -> Figure:
    """A panel per dataset, `table` is decoder_depth.csv; a line per autoencoder, from the latents to x̂.

    Where several recipes stand at one depth, the first is drawn. Horizontal lines: the latents and the stored
    reconstructions, where an autoencoder has them. InputError if there is no row.
    """
    rows = table[table["metric"] == "balanced_accuracy"].drop_duplicates(["dataset", "autoencoder", "blocks"])
    if rows.empty:
        raise InputError("no run of study.recipes.decoder_depth, so there is no line to draw")
    datasets, names = datasets_of(rows, labels), present(rows["autoencoder"], labels.autoencoders)
    marks = marks_of(labels, rows)
    depths = [depth for depth in DEPTHS if depth != STORED and (rows["blocks"] == depth).any()]
    figure, grid = dataset_panels(datasets, 4, 2.3, "decoder up to", "balanced accuracy", sharex=True)
    for dataset, axes in grid.items():
        for name in names:
            own = rows[(rows["dataset"] == dataset) & (rows["autoencoder"] == name)].set_index("blocks")
            if len(own):
                draw_line(axes, own, depths, marks[name], names[name], len(names) == 1)
        shown = [SHOWN.get(depth, depth.replace("_", " ")) for depth in depths]
        axes.set_xticks(range(len(depths)), shown, rotation=45, ha="right", rotation_mode="anchor")
    add_legend(figure, grid.values())
    folds = int(rows["n_folds"].max())
    said = [f"Mean over {folds} folds; bars: one standard deviation."] if folds > 1 else []
    add_note(figure, said, labels, datasets)
    return figure


def draw_line(axes: Axes, own: pd.DataFrame, depths: list[str], mark: Mark, label: str, alone: bool) -> None:
    """One autoencoder; its levels have the colours of the spaces where it stands alone, else its own."""
    there = [(place, own.loc[depth]) for place, depth in enumerate(depths) if depth in own.index]
    places, means = [place for place, _ in there], [row["mean"] for _, row in there]
    axes.errorbar(
        places, means, [row["sd"] for _, row in there], fmt="none", ecolor=mark.colour, elinewidth=0.7, capsize=1.5
    )
    axes.plot(places, means, **mark.points(4) | {"linestyle": "-"}, label=label, gid="depth")
    for depth, space, line in ((NONE, "latent", DOTTED), (STORED, "reconstruction", DASHED)):
        if depth in own.index:
            look, colour = {"linewidth": 0.9, "linestyle": line}, SPACES[space].colour
            axes.axhline(own.loc[depth, "mean"], color=colour if alone else mark.colour, **look, gid=space)
            axes.plot([], [], color=colour if alone else QUIET, **look, label=f"{space}s")
