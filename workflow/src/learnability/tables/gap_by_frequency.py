"""The table of the gap on frequent, middle and rare classes."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from ..significance.frequency import PARTS, parts_of
from ..significance.level import CONFIDENCE
from ..significance.rows import BOTH, SAMPLING
from .formats import render
from .labels import Labels, autoencoders_of, data_notes, datasets_of, notice, recipe_in_words
from .layout import MISSING, Block, Layout, listed, points

KINDS = {"gap_paper": "gap", "gap_matched": "gap", "gap_control": "lossless control", "gap_encoding": "encoding"}


def render_gap_by_frequency(table: pd.DataFrame, labels: Labels, footnotes: Iterable[str] = ()) -> dict[str, str]:
    """The gaps in points as md, html and tex: a block per dataset and autoencoder, a row per recipe and kind."""
    numbers = table.assign(**{key: pd.to_numeric(table[key], errors="coerce") for key in ("gap", "ci_low", "ci_high")})
    datasets, (families, controls) = datasets_of(table, labels), autoencoders_of(table, labels)
    key = ["dataset", "autoencoder", "recipe", "kind", "part"]
    cells = {tuple(row[name] for name in key): row for row in numbers.to_dict("records")}
    parts = [part for part in PARTS if part in set(table["part"])]

    def blocks(names: Mapping[str, str]) -> list[Block]:
        found = []
        for dataset, shown in datasets.items():
            for name, label in names.items():
                lines = dict.fromkeys(cell[2:4] for cell in cells if cell[:2] == (dataset, name))
                rows = [
                    [
                        words(*line),
                        *(text for part in parts for text in in_words(cells.get((dataset, name, *line, part)))),
                    ]
                    for line in lines
                ]
                found += [(f"{label}, {shown}" if len(datasets) > 1 else label, rows)] if rows else []
        return found

    caption = caption_of(table) + notice(datasets, labels)
    notes = [*footnotes, *(classes_in_words(datasets[name], labels.counts[name]) for name in datasets)]
    spanners = [(part.capitalize(), ["gap", f"{CONFIDENCE} interval"]) for part in parts]
    sections = [section for section in (blocks(families), blocks(controls)) if section]
    notes += data_notes(datasets, labels)
    return render(Layout("The gap by frequency", caption, ["Autoencoder", "Gap"], spanners, sections, notes))


def words(recipe: str, kind: str) -> str:
    """'Table 1', 'matched: lossless control'."""
    return recipe_in_words(recipe) + ("" if KINDS[kind] == "gap" else f": {KINDS[kind]}")


def in_words(cell: dict | None) -> tuple[str, str]:
    """The gap in points and its interval."""
    if cell is None or not np.isfinite(cell["gap"]):
        return MISSING, MISSING
    ends = [cell["ci_low"], cell["ci_high"]]
    return points(cell["gap"]), f"[{points(ends[0])}, {points(ends[1])}]" if np.isfinite(ends).all() else ""


def classes_in_words(dataset: str, counts: Mapping[str, int]) -> str:
    """'HAM10000: head nv (6,705) and mel (1,113); tail df (115).'"""
    parts = {part: listed([f"{name} ({counts[name]:,})" for name in names]) for part, names in parts_of(counts).items()}
    return f"{dataset}: {'; '.join(f'{part} {names}' for part, names in parts.items())} (images)."


def caption_of(table: pd.DataFrame) -> str:
    variance = "sampling and of training" if (table["method"] == BOTH).any() else "sampling alone"
    if {BOTH, SAMPLING} <= {*table["method"]}:  # a part of rare classes, which a fold may lack
        variance += " (of parts with test images in fewer than three folds, of sampling alone)"
    two = "; two classes are head and tail" if (table.groupby("dataset")["part"].nunique() == 2).any() else ""
    return (
        "The gap on frequent, middle and rare classes: mean recall over the classes of a part on reconstructions less "
        f"that on latents, in points, with {CONFIDENCE} intervals over groups of images, whose variance is that of "
        f"{variance}. The parts are thirds of the classes in order of their number of images{two}. Lossless control: "
        "its gap by the same recipe; encoding: the rest."
    )
