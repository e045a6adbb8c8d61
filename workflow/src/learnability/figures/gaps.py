"""Every gap: with the paper's recipes, matched, the lossless control's, the encoding's."""

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..significance.level import ALPHA, P_BELOW
from ..significance.rows import BOTH, headline_cells, of_first_recipe
from ..study.truths import TABLE1
from ..tables.gap import PAIR
from ..tables.labels import Labels, datasets_of, marked, recipe_in_words
from .style import GREYS, NARROW, PALETTE, QUIET, SMALL, Mark, add_legend, add_note, panels, styled

KINDS = {
    "gap_paper": ("with the paper's recipes", Mark(PALETTE[1], "o")),
    "gap_matched": ("one recipe in every space (matched)", Mark(PALETTE[0], "s")),
    "gap_control": ("of the lossless control (matched)", Mark(GREYS[0], "D", filled=False)),
    "gap_encoding": ("of the encoding: matched less control", Mark(PALETTE[2], "^")),
}
MATCHED = "matched"  # the recipe that the legend means, unless the note names another
COLUMNS = [*PAIR, "role", "recipe", "kind", "gap", "ci_low", "ci_high", "p_corrected", "known", "method"]
POINTS = ["gap", "ci_low", "ci_high", "known"]
LINE, BETWEEN = 0.17, 0.6  # inches of a line of the figure, and lines between two autoencoders


def measured(
    gaps: pd.DataFrame, decomposition: pd.DataFrame | None = None, controls: pd.DataFrame | None = None
) -> pd.DataFrame:
    """COLUMNS of every line of the figure, in points; `known` is a gap by construction. NaN: not measured.

    The frames are gap.csv, gap_decomposition.csv and controls.csv, whose cells of Table 1 are in gap.csv or added. Of
    several matched recipes the first is drawn.
    """
    parts, matched = [gaps.assign(kind="gap_paper")], []
    if decomposition is not None:
        rows = of_first_recipe(headline_cells(decomposition))
        matched = [*rows["recipe"].unique()]
        for kind in [*KINDS][1:]:
            ends = {kind: "gap", f"{kind}_ci_low": "ci_low", f"{kind}_ci_high": "ci_high"}
            parts.append(rows[[*PAIR, "role", "recipe", "method", *ends]].rename(columns=ends).assign(kind=kind))
    if controls is not None:
        names = {"control": "autoencoder", "effect": "gap", "expected_effect": "known"}
        rows = controls.rename(columns=names).drop(columns="p").assign(role="control")
        judges = [name for name in rows["recipe"].unique() if name != TABLE1]
        drawn = [name for name in matched if name in judges] or judges[:1]
        rows = rows[rows["recipe"].isin([TABLE1, *drawn])]
        parts.append(rows.assign(kind=np.where(rows["recipe"] == TABLE1, "gap_paper", "gap_matched")))
    found = pd.concat([part.reindex(columns=COLUMNS) for part in parts], ignore_index=True)
    for name in (*POINTS, "p_corrected"):
        found[name] = pd.to_numeric(found[name], errors="coerce")
    found[POINTS] *= 100
    return found.dropna(subset="gap").drop_duplicates([*PAIR, "kind"])


@styled
def draw_gaps(lines: pd.DataFrame, labels: Labels) -> Figure:
    """A panel per dataset, in two columns, a line per autoencoder and kind of gap, controls below; `measured` lines."""
    datasets, named = datasets_of(lines, labels), names_of(lines, labels)
    named = {name: textwrap.fill(label, 16, break_on_hyphens=False) for name, label in named.items()}
    heights, controls_from = rows_of(lines, named)
    bottom = max(heights.values(), default=0.0)
    columns = min(2, max(len(datasets), 1))
    figure, grid = panels(
        max(len(datasets), 1), columns, NARROW / columns, 0.6 + LINE * (bottom + 2), sharey=True, sharex=True
    )
    for axes, (dataset, label) in zip(grid, datasets.items(), strict=False):
        draw_frame(axes, label, limits(lines))
        for row in lines[lines["dataset"] == dataset].to_dict("records"):
            draw_line(axes, row, heights[row["autoencoder"], row["kind"]])
        if controls_from is not None:
            axes.axhline(controls_from, color=QUIET, linewidth=0.6, linestyle=(0, (4, 3)))
    middle = {name: np.mean([y for (other, _), y in heights.items() if other == name]) for name in named}
    grid[0].set_yticks([*middle.values()], [named[name] for name in middle])
    grid[0].set_ylim(bottom + 0.9, -0.9)
    for axes in grid[-columns:]:
        axes.set_xlabel("gap (points)")
    if set(lines["kind"]) - {"gap_paper"}:
        add_legend(figure, grid, columns=1)
    add_note(figure, sentences(lines), labels, datasets)
    return figure


def names_of(lines: pd.DataFrame, labels: Labels) -> dict[str, str]:
    """Labels of the families, then of the controls, then names of replicates, which are not autoencoders."""
    roles = dict(zip(lines["autoencoder"], lines["role"], strict=True))
    shown = {name: label for name, label in labels.autoencoders.items() if name in roles}
    controls = {name: marked(label, "control") for name, label in shown.items() if roles[name] == "control"}
    others = {name: f"{name.replace('_', ' ')} (another seed)" for name in roles if name not in shown}
    return {name: label for name, label in shown.items() if name not in controls} | controls | others


def rows_of(lines: pd.DataFrame, names: Mapping[str, str]) -> tuple[dict[tuple[str, str], float], float | None]:
    """Where each autoencoder's kind of gap stands, from the top, and where the controls begin, if below families."""
    kinds = lines.groupby("autoencoder")["kind"].agg(set)
    controls = set(lines.loc[lines["role"] == "control", "autoencoder"])
    heights: dict[tuple[str, str], float] = {}
    y, begins = 0.0, None
    for name, label in names.items():
        if name in controls and begins is None and heights:
            begins, y = y - BETWEEN / 2, y + BETWEEN / 2
        own = [kind for kind in KINDS if kind in kinds[name]]
        room = max(0.0, 0.85 * (label.count("\n") + 1) - len(own))  # of a name with more lines than gaps
        heights |= {(name, kind): y + room / 2 + i for i, kind in enumerate(own)}
        y += len(own) + room + BETWEEN
    return heights, begins


def limits(lines: pd.DataFrame) -> tuple[float, float]:
    """Limits of the x axis: zero, every gap, and on each side at least half of the intervals' ends.

    Beyond the gaps lie on each side at most three times what these take up, so that intervals never hide them.
    """
    gaps = np.append(lines["gap"].to_numpy(dtype=float), 0.0)
    low, high = gaps.min(), gaps.max()
    room = max(high - low, 2.0)
    below = _reach(low - lines["ci_low"].astype(float), room)
    above = _reach(lines["ci_high"].astype(float) - high, room)
    return low - below - 0.08 * room, high + above + 0.08 * room


def _reach(ends: pd.Series, room: float) -> float:
    """How far beyond the gaps the axis goes for intervals that end so far beyond them; NaN is no interval."""
    ends = ends.dropna().clip(lower=0.0)
    return min(ends.max(), np.clip(ends.median(), 0.75 * room, 3 * room)) if len(ends) else 0.0


def draw_frame(axes: Axes, title: str, of_gaps: tuple[float, float]) -> None:
    """An axis of gaps with its zero, and words in place of the other axis."""
    axes.set_title(title, loc="left")
    axes.set_xlim(*of_gaps)
    axes.axvline(0, color=QUIET, linewidth=0.8, zorder=1)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")


def draw_line(axes: Axes, row: dict, height: float) -> None:
    """The interval as a line, an arrowhead where it leaves the panel, the gap on top, a bar where it is known."""
    label, mark = KINDS[row["kind"]]
    low, high = axes.get_xlim()
    ends = np.array([row["ci_low"], row["ci_high"]])
    if np.isfinite(ends).all():
        axes.plot(np.clip(ends, low, high), [height] * 2, color=mark.colour, linewidth=1.3, zorder=2, gid="interval")
        for end, edge, arrow in ((ends[0], low, "<"), (ends[1], high, ">")):
            if not low <= end <= high:
                axes.plot(edge, height, arrow, color=mark.colour, markersize=4, clip_on=False, zorder=2)
    if np.isfinite(row["known"]):
        known = {"marker": "|", "markersize": 9, "markeredgewidth": 1.6, "linestyle": "none", "color": "black"}
        axes.plot(row["known"], height, **known, label="known by construction", zorder=3, gid="known")
    axes.plot(row["gap"], height, **mark.points(5, zorder=4, gid=row["kind"]), label=label)
    if row["p_corrected"] < ALPHA:
        axes.text(1.01, height, "∗", transform=axes.get_yaxis_transform(), va="center", fontsize=SMALL + 2)


def sentences(lines: pd.DataFrame) -> list[str]:
    """What the note says of this study's lines."""
    if lines.empty:
        return ["No autoencoder has both reconstruction and latent runs."]
    said = []
    if lines["ci_low"].isna().all():
        said.append("No interval: no two groups of images differ.")
    elif not (lines.loc[lines["ci_low"].notna(), "method"].dropna() == BOTH).all():
        said.append("The variance is only that of sampling: another training would move the gaps further.")
    recipes = lines.loc[lines["kind"] == "gap_matched", "recipe"].dropna().unique()
    said += [f"Matched: by the recipe {recipe_in_words(name)}." for name in recipes if name != MATCHED]
    if (lines["p_corrected"] < ALPHA).any():
        said.append(f"∗ differs from 0, {P_BELOW} after Holm's correction over the family pairs.")
    return said
