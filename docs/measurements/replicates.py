"""What two trainings of one cell differ by, that differ only in the seed: a test that finds a difference is wrong.

    python -m docs.measurements.replicates results/ham10000_rebuilt matched matched_again

prints a row of markdown for each space and autoencoder that both recipes trained on, in points of balanced accuracy:
the test of the first less the second training over groups of images, and the standard deviation of a score when only
the seed is another (root of half the mean square of the folds' differences) beside that of the first over folds.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from learnability.errors import InputError
from learnability.significance.cells import ANY_CELL, paired_differences, runs_by_cell
from learnability.significance.group_level import excess
from learnability.significance.level import ALPHA
from learnability.significance.predictions import paired_rows, tested_on, with_right
from learnability.significance.rows import HEADLINE_METRIC
from learnability.storage.contracts import read_metrics
from learnability.storage.vouched import files_matching
from learnability.study.paths import run_file

from .parts import images_of

COLUMNS = ["space", "autoencoder", "effect", "ci_low", "ci_high", "p", "seeds", "folds"]


def compared(results: Path, first: str, second: str) -> pd.DataFrame:
    """A row per cell of COLUMNS, scores from 0 to 1; InputError where no cell has runs by both recipes.

    The autoencoder families of a space share the variance of training, as in the tests of gaps; all else has its own.
    """
    runs = read_metrics(files_matching(results, "runs/*/*/*/*/*/metrics.json"))
    runs = runs[runs["recipe"].isin([first, second])]
    images = {dataset: images_of(results, dataset)[0] for dataset in runs["dataset"].unique()}
    paths = [results / run_file(run, "predictions.parquet") for run in runs.to_dict("records")]
    cells = runs_by_cell(with_right(runs, paths, images), HEADLINE_METRIC, ANY_CELL)
    both = [key[:3] for key in cells if key[3] == first and (*key[:3], second) in cells]
    if not both:
        raise InputError(
            f"{results}: no cell has runs by {first} and {second}; name two recipes that differ in the seed"
        )
    pairs = {key: (cells[*key, first], cells[*key, second]) for key in both}
    rows = {key: paired_rows(images[key[0]], [one], [other]) for key, (one, other) in pairs.items()}
    kinds = {key: kind(*key, one["role"].iloc[0]) for key, (one, _) in pairs.items()}
    found = []
    for key, (one, other) in pairs.items():
        test = tested_on(images[key[0]], rows[key], excess([rows[k] for k in kinds if kinds[k] == kinds[key]]))
        row = {"space": key[2], "autoencoder": key[1]} | {end: getattr(test, end) for end in COLUMNS[2:6]}
        seeds = np.sqrt(np.mean(paired_differences(one, other).differences ** 2) / 2)
        found.append(row | {"seeds": seeds, "folds": one[HEADLINE_METRIC].std()})
    return pd.DataFrame(found, columns=COLUMNS)


def kind(dataset: str, autoencoder: str, space: str, role: str) -> tuple[str, ...]:
    """Cells of one kind share the variance of training; images have no role of their own."""
    return (dataset, space) if role == "family" and space != "image" else (dataset, space, autoencoder)


def as_markdown(table: pd.DataFrame) -> str:
    """The table in points, how many differences the test found, and the seed's share of the variance over folds."""
    lines = ["| space | autoencoder | first less second training | p | SD of seeds | SD of folds |", 6 * "|---" + "|"]
    for row in table.sort_values(["space", "autoencoder"]).itertuples():
        effect, low, high, seeds, folds = map(points, (row.effect, row.ci_low, row.ci_high, row.seeds, row.folds))
        difference = f"{effect} ({low} to {high}) | {row.p:.2f}"
        lines.append(f"| {row.space} | {row.autoencoder} | {difference} | {seeds} | {folds} |")
    share = (table["seeds"] ** 2).sum() / (table["folds"] ** 2).sum()
    found = f"{(table['p'] < ALPHA).sum()} of {len(table)} have p < {ALPHA}"
    return "\n".join([*lines, "", f"{found}; the seed makes {share:.0%} of the variance over folds"])


def points(score: float | None) -> str:
    """A score or difference in points, with one decimal; n/a of an interval where nothing varies."""
    if score is None or np.isnan(score):
        return "n/a"
    return f"{round(100 * score, 1) + 0.0:.1f}".replace("-", "−")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("first", help="a recipe")
    parser.add_argument("second", help="the same with another seed")
    chosen = parser.parse_args()
    print(as_markdown(compared(chosen.results, chosen.first, chosen.second)))


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"Error: {error}")
