"""Does what latents are like go with the gap? A panel per diagnostic, a point per autoencoder."""

import textwrap
from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..significance.diagnostics import IMAGES, NUMBER, as_numbers, is_of
from ..significance.diagnostics_vs_gap import FEWEST_PAIRS, of_table1
from ..significance.macro import MACRO
from ..tables.diagnostic_labels import IN_TABLE5
from ..tables.labels import Labels, autoencoders_of, datasets_of
from ..tables.layout import listed, score
from ..tables.table5 import SAME, macro_gaps, partly, without_p
from .figure2 import p_value
from .style import FAINT, NARROW, QUIET, SMALL, Mark, add_legend, add_note, marks_of, panels, styled

COLUMNS = 2
LINE = 0.135  # inches of a line of names
AXES, AROUND = 1.0, 0.75  # inches of a panel: its axes are as high at least, and its title and ticks
BEYOND = 0.75  # of the range of the points: the room beside them, for what has no gap
WRAP = 14  # letters of a name in a line


@styled
def draw_diagnostics_vs_gap(table5: pd.DataFrame, gap: pd.DataFrame, tests: pd.DataFrame, labels: Labels) -> Figure:
    """Points are means over datasets; names stand at the right, at the height of their gap, which all panels share.

    `table5` is table5.csv, `gap` has dataset, autoencoder and gap of Table 1, `tests` is diagnostics_vs_gap.csv, which
    is quoted and not computed again. Controls are open; what has no gap, such as images, stands on the axis.
    """
    cells, macro = table5[table5["dataset"] != MACRO], table5[table5["dataset"] == MACRO]
    datasets = datasets_of(cells, labels)
    gaps = {name: 100 * value for name, value in macro_gaps(gap, datasets).items()}
    macro = macro.assign(value=as_numbers(macro["value"])).dropna(subset="value")
    encoded = macro[macro["autoencoder"].isin(gaps)]
    shown = [key for key in IN_TABLE5 if is_of(encoded, key).any()]
    marks = marks_of(labels, encoded)
    named = names_of(encoded, labels).items()
    names = {name: textwrap.fill(label, WRAP, break_on_hyphens=False) for name, label in named}
    low, high = limits([0.0, *(gaps[name] for name in names)], 0.08)
    height = max(AXES, LINE * sum(name.count("\n") + 1 for name in names.values()))
    number = max(len(shown), 1)
    figure, grid = panels(number, COLUMNS, NARROW / min(COLUMNS, number), height + AROUND, sharey=True)
    for axes, key in zip(grid, shown, strict=False):
        for row in encoded[is_of(encoded, key)].to_dict("records"):
            name = row["autoencoder"]
            axes.plot(row["value"], gaps[name], **marks[name].points(5, zorder=4, gid=row["role"]))
        axes.set_xlim(*limits(encoded.loc[is_of(encoded, key), "value"], BEYOND))
        draw_without_gap(axes, macro[is_of(macro, key) & ~macro["autoencoder"].isin(gaps)], labels)
        axes.set_title("\n".join([IN_TABLE5[key].label, result_of(tests, key)]), loc="left", fontweight="normal")
        axes.axhline(0, color=QUIET, linewidth=0.6, zorder=1)
        axes.set_ylim(low, high)
        axes.xaxis.set_major_locator(MaxNLocator(3))
    places = {name: (gaps[name] - low) / (high - low) for name in names}
    for i, axes in enumerate(grid):
        if i % COLUMNS == COLUMNS - 1 or i == len(grid) - 1:  # the last of its row
            draw_names(axes, places, names, marks, height)
        if i % COLUMNS == 0:
            axes.set_ylabel("gap (points)")
    add_legend(figure, grid, columns=1)
    over = f"Means over {listed([*datasets.values()])}." if len(datasets) > 1 else f"On {listed([*datasets.values()])}."
    add_note(figure, [over, *sentences(tests, shown), *partly(cells, labels)], labels, datasets)
    return figure


def names_of(rows: pd.DataFrame, labels: Labels) -> dict[str, str]:
    """Labels, families first, controls called so."""
    families, controls = autoencoders_of(rows, labels)
    return families | controls


def limits(values: Iterable[float], share: float) -> tuple[float, float]:
    """All values, with such a share of their range around."""
    low, high = min(values), max(values)
    room = share * ((high - low) or max(abs(high), 1.0))
    return low - room, high + room


def draw_without_gap(axes: Axes, rows: pd.DataFrame, labels: Labels) -> None:
    """Images, and what else has no gap in Table 1: on the axis, as an arrowhead where they lie beyond the panel."""
    low, high = axes.get_xlim()
    marks = marks_of(labels, rows)
    named = {name: f"{label}: no gap in Table 1" for name, label in names_of(rows, labels).items()}
    named[IMAGES] = "the images themselves on the latents' grid: no gap"
    for name, label in named.items():
        values = rows.loc[rows["autoencoder"] == name, "value"].to_numpy()
        look = {"zorder": 5, "clip_on": False, "transform": axes.get_xaxis_transform()}
        inside = values[(low <= values) & (values <= high)]
        if len(values):
            axes.plot([], [], **marks[name].points(5), label=label)
        if len(inside):  # nothing that is not clipped has no place, and the layout fails
            axes.plot(inside, np.zeros(len(inside)), **marks[name].points(5, gid="without gap", **look))
        for edge, arrow, beyond in ((low, "<", values < low), (high, ">", values > high)):
            if beyond.any():
                axes.plot(edge, 0, **marks[name]._replace(marker=arrow).points(4, gid="beyond", **look))


def draw_names(
    axes: Axes, places: dict[str, float], names: dict[str, str], marks: dict[str, Mark], high: float
) -> None:
    """Each name beside the axes, as near to the height of its gap as the others leave room, `high` inches."""
    tall = {name: LINE * (text.count("\n") + 1) / high for name, text in names.items()}
    for name, centre in spread(places, tall).items():
        leader = {"arrowstyle": "-", "color": FAINT, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0, "relpos": (0, 0.5)}
        axes.annotate(names[name], (1.0, places[name]), (1.08, centre), xycoords="axes fraction", fontsize=SMALL,
                      color=marks[name].colour, va="center", arrowprops=leader, annotation_clip=False,
                      linespacing=0.95)  # fmt: skip


def spread(places: dict[str, float], tall: dict[str, float]) -> dict[str, float]:
    """Centres between 0 and 1 near `places` such that none covers its neighbour, from the lowest to the highest."""
    centres: dict[str, float] = {}
    bottom = 0.0
    for name in sorted(places, key=places.__getitem__):
        centres[name] = max(places[name], bottom + tall[name] / 2)
        bottom = centres[name] + tall[name] / 2
    top = 1.0
    for name in reversed(centres):
        centres[name] = min(centres[name], top - tall[name] / 2)
        top = centres[name] - tall[name] / 2
    return centres


def result_of(tests: pd.DataFrame, key: tuple[str, str]) -> str:
    """Spearman's rho over the families; of a suspect with its corrected p, where there is one."""
    rows = of_table1(tests)
    row = rows[is_of(rows, key)].iloc[:1].to_dict("records")
    if not row or row[0]["effect"] in ("n/a", ""):
        return "ρ n/a"
    p = f", p {p_value(float(row[0]['p_corrected']))}" if row[0]["p_corrected"] != "n/a" else ""
    return f"ρ = {score(float(row[0]['effect']))}{p}"


def sentences(tests: pd.DataFrame, shown: list[tuple[str, str]]) -> list[str]:
    """What the note says of this study's panels."""
    if not shown:
        return ["No autoencoder has both a gap and a diagnostic on every data set."]
    rows = of_table1(tests)
    rows = rows[[tuple(pair) in shown for pair in rows[NUMBER].to_numpy()]]
    of = rows["n"].astype(int)
    if not of.max() > 0:
        return ["No ρ: no family has a gap."]
    over = of[as_numbers(rows["effect"]).notna()]
    if len(over):
        least, most = over.min(), over.max()
        said = f"ρ is over {most if least == most else f'{least} to {most}'} families."
    else:
        said = f"No ρ: {f'that needs {FEWEST_PAIRS} families' if of.max() < FEWEST_PAIRS else SAME}."
    return [said, *(without_p(tests) or ["p of the paper's three suspects alone, after Holm's correction."])]
