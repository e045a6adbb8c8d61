"""Table 3: what a classifier reaches within one wall-clock budget, and what it costs in time and memory."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from ..errors import InputError
from ..storage.contracts import SCORES
from .caveats import chance_row
from .formats import render
from .frames import named
from .labels import Labels, data_notes, datasets_of, notice, present
from .layout import MISSING, SCORE_HEADS, Best, Layout, amount, best_of, device_in_words, number

STAGES = {"inference": "Inference", "train": "Training"}
COSTS = {"samples_per_second": "samples/s", "peak_mb": "MB"}
METRICS = [*SCORES, *(f"{stage}_{cost}" for stage in STAGES for cost in COSTS)]
MEASURED_RUN = ["row", "dataset", "autoencoder"]
TABLE3_COLUMNS = [*MEASURED_RUN, "space", "recipe", "metric", "value", "batch_size", "budget_s", "device"]
IMAGES = ("image", "image_cached")  # the rows that the latent row is compared with


def table3(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The measured rows, one below the other; an InputError names what cannot be compared or is not there.

    Every row has one value of each score, and samples per second and peak memory of inference and of training at one
    batch size or more; at least one size is common to all rows. Budget (seconds, or n/a) and device are the same.
    """
    if not frames:
        raise InputError("Table 3: no rows; expected one file per row; measure the efficiency first")
    for frame in frames:
        if list(frame.columns) != TABLE3_COLUMNS:
            raise InputError(
                f"Table 3: columns {list(frame.columns)}, expected {TABLE3_COLUMNS}; measure that row again"
            )
    table = pd.concat(frames, ignore_index=True)
    table["value"] = pd.to_numeric(table["value"], errors="coerce")
    for key in ("budget_s", "device"):
        values = table.drop_duplicates(key)
        if len(values) > 1:
            found = "; ".join(f"{row['row']} has {row[key]}" for row in values.to_dict("records"))
            raise InputError(f"Table 3: {found}; rows are compared at one {key}: measure them again on the same")
    _refuse_bad_values(table)
    for stage in STAGES:
        headline_batch(table, stage)
    return table


def _refuse_bad_values(table: pd.DataFrame) -> None:
    """Raise unless every row has each metric, with numbers, and each cost once per batch size."""
    key = [*MEASURED_RUN, "metric", "batch_size"]
    costs = ~table["metric"].isin(SCORES)
    problems = {
        f"unknown metric, expected one of {METRICS}": ~table["metric"].isin(METRICS),
        "value is not a finite number": ~np.isfinite(table["value"]),
        "value is not above 0": costs & ~(table["value"] > 0),
        "appears twice": table.duplicated(key) | (~costs & table.duplicated(key[:-1])),
    }
    for problem, mask in problems.items():
        for line in table.loc[mask, key].itertuples(index=False):
            raise InputError(f"Table 3: {named(zip(key, line, strict=True))}: {problem}; measure that row again")
    for cell, lines in table.groupby(MEASURED_RUN, sort=False):
        for metric in METRICS:
            if metric not in set(lines["metric"]):
                where = named(zip(MEASURED_RUN, cell, strict=True))
                raise InputError(f"Table 3: {where}: {metric} is missing; measure that row again")


def headline_batch(table: pd.DataFrame, stage: str) -> int:
    """The largest batch size at which every row has speed and memory of a stage, `inference` or `train`."""
    costs = table[table["metric"].isin([f"{stage}_{cost}" for cost in COSTS])]
    sizes = {
        key: {*map(int, lines["batch_size"])} for key, lines in costs.groupby([*MEASURED_RUN, "metric"], sort=False)
    }
    common = set.intersection(*sizes.values())
    if not common:
        found = "; ".join(f"{', '.join(key)} at {sorted(found)}" for key, found in sizes.items())
        raise InputError(f"Table 3: no batch size is common to all rows: {found}; measure all at one size at least")
    return max(common)


def render_table3(table: pd.DataFrame, labels: Labels, footnotes: Iterable[str] = ()) -> dict[str, str]:
    """Table 3 as md, html and tex: a line per row, then latent : image, for each dataset and autoencoder."""
    batches = {stage: headline_batch(table, stage) for stage in STAGES}
    values = headline(table)
    datasets, shown = datasets_of(table, labels), present(table["row"], labels.rows)
    autoencoders = present(table["autoencoder"], labels.autoencoders)
    sections = []
    for dataset, autoencoder in table[MEASURED_RUN[1:]].drop_duplicates().itertuples(index=False, name=None):
        rows = {key[0]: cells for key, cells in values.items() if key[1:] == (dataset, autoencoder)}
        best = {metric: _best(metric, rows) for metric in METRICS}
        lines = [
            [shown[row], *(_value(metric, cells[metric], row in best[metric]) for metric in METRICS)]
            for row, cells in rows.items()
        ]
        chance = (guessed for _, (guessed,) in chance_row(["Chance"], [dataset], SCORES, labels))
        guess = [[*row, *([MISSING] * (len(METRICS) - len(SCORES)))] for row in chance]
        sections.append([(f"{datasets[dataset]}, {autoencoders[autoencoder]}", [*guess, *lines])])
        ratios = [
            [f"{shown['latent']} : {shown[image]}", *_ratios(rows["latent"], rows[image])]
            for image in IMAGES
            if {image, "latent"} <= rows.keys()
        ]
        sections.append([("", ratios)] if ratios else [])
    budget, device = table["budget_s"].iloc[0], table["device"].iloc[0]
    caption = (
        f"Efficiency: scores after training {_within(budget)} on {device_in_words(device)}, and throughput and "
        f"peak memory of inference (batch size {batches['inference']}) and of training (batch size {batches['train']}) "
        f"there; MB are millions of bytes. Bold: the best classifier.{notice(datasets, labels)}"
    )
    heads = [("Scores", [*SCORE_HEADS.values()]), *((name, [*COSTS.values()]) for name in STAGES.values())]
    return render(
        Layout("Table 3", caption, ["Data", "Classifier"], heads, sections, [*footnotes, *data_notes(datasets, labels)])
    )


def headline(table: pd.DataFrame) -> dict[tuple, dict[str, float]]:
    """The values of each (row, dataset, autoencoder) by metric: scores, and costs at the batch size of their stage."""
    batches = {stage: headline_batch(table, stage) for stage in STAGES}
    found: dict[tuple, dict[str, float]] = {}
    for line in table.to_dict("records"):
        size = batches.get(line["metric"].partition("_")[0])
        if size is None or int(line["batch_size"]) == size:
            found.setdefault(tuple(line[key] for key in MEASURED_RUN), {})[line["metric"]] = line["value"]
    return found


def _best(metric: str, rows: dict[str, dict[str, float]]) -> set[str]:
    """Rows with the highest score, the highest speed, the least memory."""
    return best_of({row: cells[metric] for row, cells in rows.items()}, lowest=metric.endswith("peak_mb"))


def _value(metric: str, value: float, best: bool) -> str:
    shown = number(value) if metric in SCORES else amount(value)
    return Best(shown) if best else shown


def _ratios(latent: dict[str, float], image: dict[str, float]) -> list[str]:
    """Latent to image, as '64 : 1' or '1 : 120'; scores have no ratio."""
    ratios = [latent[metric] / image[metric] for metric in METRICS if metric not in SCORES]
    return [MISSING] * len(SCORES) + [f"{amount(r)} : 1" if r >= 1 else f"1 : {amount(1 / r)}" for r in ratios]


def _within(budget: float | str) -> str:
    """A budget in words: hours or minutes where they are whole, else seconds."""
    if budget == "n/a":
        return "without a time budget"
    seconds = float(budget)
    for unit, size in {"h": 3600, "min": 60}.items():
        if seconds % size == 0:
            return f"for {seconds / size:g} {unit} of wall-clock time"
    return f"for {seconds:g} s of wall-clock time"
