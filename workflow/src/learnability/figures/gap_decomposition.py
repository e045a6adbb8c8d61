"""What each gap is made of: with the paper's recipes, matched, the lossless control's, the encoding's."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..significance.rows import BOTH, headline_cells, of_first_recipe
from ..tables.gap import PAIR
from ..tables.labels import Labels, autoencoders_of, datasets_of, recipe_in_words
from .gaps import draw_frame, draw_line, limits
from .style import NARROW, QUIET, SMALL, add_note, panels, styled

WORDS = {
    "gap_paper": "with the paper's recipes",
    "gap_matched": "with one recipe ({recipe})",
    "gap_control": "of the lossless control",
    "gap_encoding": "of the encoding itself",
}
COLUMNS = [*PAIR, "role", "recipe", "kind", "gap", "ci_low", "ci_high", "method"]
LINE, HEAD = 0.19, 1.25  # inches of a line; lines from the last gap to the next name


def parts_of_gap(decomposition: pd.DataFrame) -> pd.DataFrame:
    """COLUMNS of every line of the figure, in points, of the recipe that leads, which is the first in the file.

    NaN is what there is not; a gap without a control has two lines, the mean over autoencoders none.
    """
    rows = of_first_recipe(headline_cells(decomposition))
    ends = {kind: {kind: "gap", f"{kind}_ci_low": "ci_low", f"{kind}_ci_high": "ci_high"} for kind in WORDS}
    parts = [rows.rename(columns=names).assign(kind=kind).reindex(columns=COLUMNS) for kind, names in ends.items()]
    found = pd.concat(parts, ignore_index=True)
    numbers = found[["gap", "ci_low", "ci_high"]].apply(pd.to_numeric, errors="coerce") * 100
    return found.assign(**numbers).dropna(subset="gap")


@styled
def draw_gap_decomposition(lines: pd.DataFrame, labels: Labels) -> Figure:
    """A panel per dataset, one below the other; below the name of each autoencoder a line per gap, with its number."""
    datasets, families = datasets_of(lines, labels), autoencoders_of(lines, labels)[0]
    heights, names = rows_of(lines, families)
    recipe = recipe_in_words(lines["recipe"].iloc[0]) if len(lines) else ""
    bottom = max([*heights.values(), *names.values()], default=0.0)
    figure, grid = panels(max(len(datasets), 1), 1, NARROW, 0.6 + LINE * (bottom + 2), sharex=True)
    for axes, (dataset, label) in zip(grid, datasets.items(), strict=False):
        draw_frame(axes, label, limits(lines))
        axes.set_ylim(bottom + 0.8, -0.8)
        said = [WORDS[kind].format(recipe=recipe) for _, kind in heights]
        axes.set_yticks([*names.values(), *heights.values()], [*names, *said])
        for text in axes.get_yticklabels()[: len(names)]:
            text.set_fontweight("bold")
        for row in lines[(lines["dataset"] == dataset) & lines["autoencoder"].isin(families)].to_dict("records"):
            height = heights[row["autoencoder"], row["kind"]]
            draw_line(axes, row | {"known": float("nan"), "p_corrected": float("nan")}, height)
            write_number(axes, row, height)
    grid[-1].set_xlabel("gap in balanced accuracy (points)")
    add_note(figure, sentences(lines), labels, datasets)
    return figure


def rows_of(lines: pd.DataFrame, families: dict[str, str]) -> tuple[dict[tuple[str, str], float], dict[str, float]]:
    """Where each gap of each autoencoder stands, from the top, and where its label does."""
    kinds = lines.groupby("autoencoder")["kind"].agg(set)
    heights: dict[tuple[str, str], float] = {}
    names: dict[str, float] = {}
    y = 0.0
    for name, label in families.items():
        names[label] = y
        own = [kind for kind in WORDS if kind in kinds[name]]
        heights |= {(name, kind): y + 1 + i for i, kind in enumerate(own)}
        y += len(own) + HEAD
    return heights, names


def write_number(axes: Axes, row: dict, height: float) -> None:
    """The gap in points right of the panel; what is the encoding's stands out."""
    text = f"{round(row['gap'], 1) + 0.0:.1f}".replace("-", "−")
    place = {"transform": axes.get_yaxis_transform(), "va": "center", "ha": "right"}
    look = {"fontweight": "bold"} if row["kind"] == "gap_encoding" else {"color": QUIET}
    axes.text(1.15, height, text, fontsize=SMALL + 1, **look, **place)


def sentences(lines: pd.DataFrame) -> list[str]:
    """What the note says of this study's lines."""
    said = []
    if lines["ci_low"].isna().all():
        said.append("No interval: no two groups of images differ.")
    elif not (lines["method"].dropna() == BOTH).all():
        said.append("The variance is only that of sampling: another training would move the gaps further.")
    if len(lines) and "gap_control" not in set(lines["kind"]):
        said.append("No lossless control is on the grid of these latents, so the encoding's part is not known.")
    return said
