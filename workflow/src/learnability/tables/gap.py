"""The gap of every autoencoder and dataset, with its interval: what a paper shows of a study in one small table."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..significance.group_level import FEWEST_FOLDS
from ..significance.level import ALPHA, CONFIDENCE, P_BELOW
from ..significance.rows import CELL_TEST, HEADLINE_METRIC, NOT_APPLICABLE
from .caveats import CHANCE, at_chance, sentences
from .formats import render
from .frames import deciding_tests
from .labels import Labels, autoencoders_of, data_notes, datasets_of, notice
from .latex_gap import narrow_tabular
from .layout import MISSING, Block, Layout, points, values_over_folds

GAP = "reconstruction_vs_latent"
PAIR = ["dataset", "autoencoder"]
NUMBERS = ["gap", "ci_low", "ci_high", "p", "p_corrected"]
GAP_COLUMNS = [*PAIR, "role", *NUMBERS, "chance_latent", "chance_reconstruction", "method"]


def gap_table(
    table1: pd.DataFrame, over_folds: pd.DataFrame, over_groups: pd.DataFrame, labels: Labels, n_splits: int
) -> pd.DataFrame:
    """GAP_COLUMNS per pair: points / 100 of balanced accuracy, and whether each side's score is at chance.

    `over_folds` is latent_vs_reconstruction.csv, `over_groups` group_level.csv: gap and interval are of the latter, p
    of the test that decides (frames.deciding_tests). Values that do not exist are "n/a".
    """
    of_gap = over_groups[(over_groups["test"] == CELL_TEST) & (over_groups["comparison"] == GAP)]
    tests = deciding_tests(over_folds, over_groups)
    tests = tests[(tests["comparison"] == GAP) & (tests["metric"] == HEADLINE_METRIC)]
    rows = of_gap[[*PAIR, "role", "effect", "ci_low", "ci_high", "method"]].rename(columns={"effect": "gap"})
    rows = rows.merge(tests[[*PAIR, "p", "p_corrected"]], on=PAIR, how="left").astype(object).fillna(NOT_APPLICABLE)
    guessed = {(each.dataset, each.autoencoder, each.space) for each in at_chance(table1, labels, n_splits)}
    for space in ("latent", "reconstruction"):
        rows[f"chance_{space}"] = [
            (dataset, name, space) in guessed if dataset in labels.counts else NOT_APPLICABLE
            for dataset, name in rows[PAIR].itertuples(index=False, name=None)
        ]
    return rows[GAP_COLUMNS].astype(object)


def render_gap(
    table: pd.DataFrame, table1: pd.DataFrame, labels: Labels, n_splits: int, footnotes: Iterable[str] = ()
) -> dict[str, str]:
    """The gaps as md and html, and as a tex that is a tabular alone, for a column of 8.4 cm."""
    datasets = datasets_of(table, labels)
    numbers = table.assign(**{name: pd.to_numeric(table[name], errors="coerce") for name in NUMBERS})
    cells = {(row["dataset"], row["autoencoder"]): row for row in numbers.to_dict("records")}
    families, controls = autoencoders_of(table, labels)

    def blocks(names: dict[str, str]) -> list[Block]:
        return [
            (label, [[text for name in datasets for text in in_words(cells.get((name, autoencoder)))]])
            for autoencoder, label in names.items()
        ]

    caption = caption_of(table1) + notice(datasets, labels)
    caveats = [each for each in at_chance(table1, labels, n_splits) if each.kind == CHANCE]
    notes = [*footnotes, *sentences(caveats, datasets, labels.autoencoders), *data_notes(datasets, labels)]
    spanners = [(name, ["gap", f"{CONFIDENCE} interval"]) for name in datasets.values()]
    sections = [blocks(families), blocks(controls)]
    layout = Layout("The gap", caption, ["Autoencoder"], spanners, sections, notes)
    named = [[(label, [cells.get((name, key)) for name in datasets]) for key, label in part.items()]
             for part in (families, controls) if part]  # fmt: skip
    return render(layout) | {"tex": narrow_tabular([*datasets.values()], named, in_words, [caption, *notes])}


def in_words(cell: dict | None, decimals: int = 1) -> tuple[str, str]:
    """The gap in points, with a star where it is significant, and its interval."""
    if cell is None:
        return MISSING, MISSING
    gap = points(cell["gap"], 1) + ("*" if cell["p_corrected"] < ALPHA else "")
    low, high = cell["ci_low"], cell["ci_high"]
    return gap, f"[{points(low, decimals)}, {points(high, decimals)}]" if np.isfinite([low, high]).all() else ""


def caption_of(table1: pd.DataFrame) -> str:
    both = table1["n_folds"].max() >= FEWEST_FOLDS
    variance = "sampling and of training" if both else f"sampling alone, because of fewer than {FEWEST_FOLDS} folds"
    by = "" if both else ", by the t-test over folds"
    return (
        "The learnability gap: balanced accuracy on reconstructions less that on latents, in points, "
        f"{values_over_folds(table1, with_sd=False)}, with {CONFIDENCE} intervals over groups of "
        f"images, whose variance is that of {variance}. * {P_BELOW} after Holm's correction over the families' "
        f"cells{by}."
    )
