"""A table of scores: a block per autoencoder, a row per kind of run, three scores per dataset."""

from collections.abc import Callable, Iterable

import pandas as pd

from ..significance.macro import MACRO
from ..storage.contracts import SCORES
from .caveats import chance_row
from .formats import render
from .frames import cells_by
from .labels import Labels, data_notes, datasets_of, notice, present
from .layout import MISSING, SCORE_HEADS, Layout, cell_text


def render_scores(
    title: str,
    caption: str,
    table: pd.DataFrame,
    labels: Labels,
    kind: list[str],
    stubs: dict[str, Callable[[dict], str]],
    footnotes: Iterable[str] = (),
    text: Callable[[tuple, dict | None], str] = lambda key, cell: cell_text(cell),
) -> dict[str, str]:
    """A long table as md, html and tex: chance, the images, then a block per autoencoder; the macro average last.

    The columns `kind` tell the rows of a block apart, `stubs` say what stands in front of each, by head. `text` is what
    a cell shows, by its key (dataset, autoencoder, *kind, metric).
    """
    cells = cells_by(table, ["dataset", "autoencoder", *kind, "metric"])
    measured = table[table["dataset"] != MACRO]
    datasets = datasets_of(measured, labels)
    if len(datasets) > 1 and len(measured) < len(table):
        datasets[MACRO] = "Macro"

    def line(row: dict) -> list[str]:
        same = row["autoencoder"], *(row[column] for column in kind)
        keys = [(dataset, *same, metric) for dataset in datasets for metric in SCORES]
        return [*(words(row) for words in stubs.values()), *(text(key, cells.get(key)) for key in keys)]

    lines: dict[str, list[list[str]]] = {}
    for row in table.drop_duplicates(["autoencoder", *kind]).to_dict("records"):
        lines.setdefault(row["autoencoder"], []).append(line(row))
    named = present(lines, {"original": "Image Space"} | labels.autoencoders)
    guess = chance_row([MISSING] * len(stubs), datasets, SCORES, labels)
    sections = [guess, *([(label, lines[name])] for name, label in named.items())]
    spanners = [(name, [*SCORE_HEADS.values()]) for name in datasets.values()]
    notes = [*footnotes, *data_notes(datasets, labels)]
    return render(Layout(title, caption + notice(datasets, labels), ["Autoencoder", *stubs], spanners, sections, notes))
