"""Rows of a significance table, and Holm's correction of the p-values of its family cells."""

from collections import defaultdict
from collections.abc import Callable, Sequence

import pandas as pd

LABELS = ["test", "comparison", "dataset", "autoencoder", "metric", "role"]
TESTED = ["n", "statistic", "p", "alternative", "method", "correction", "p_corrected"]
TEST_COLUMNS = [*LABELS, *TESTED, "effect", "ci_low", "ci_high"]
HEADLINE_METRIC = "balanced_accuracy"
NOT_APPLICABLE = "n/a"
CELL_TEST, DATASET_TEST = "paired_groups", "paired_groups_dataset"  # over groups of images
BOTH, SAMPLING = "sampling and training", "sampling only"  # their method: what their variance is of
DEGENERATE = {"method": "degenerate"}
OF_TWO_GAPS, OF_TWO_GAINS = ("gap_encoding", "gain"), "gain_vs_"  # differences of two gaps, and of two gains


def row(test: str, comparison: str, result: dict, **labels: str) -> dict:
    """One row of a table: what was tested and what came out, "n/a" for the rest."""
    labels = {"test": test, "comparison": comparison, "metric": HEADLINE_METRIC} | labels
    return dict.fromkeys(TEST_COLUMNS, NOT_APPLICABLE) | labels | result


def cells_of_a_test(entry: dict) -> tuple | None:
    """Rows corrected together: cells of one test, comparison and metric. A test over cells has no autoencoder."""
    is_cell = entry["autoencoder"] != NOT_APPLICABLE
    return (entry["test"], entry["comparison"], entry["metric"]) if is_cell else None


def table(
    rows: list[dict],
    together: Callable[[dict], tuple | None] = cells_of_a_test,
    columns: Sequence[str] = TEST_COLUMNS,
    count: int = 0,
) -> pd.DataFrame:
    """Rows as a table; those of families that `together` gives the same key are corrected as one family by Holm.

    Where the key is None, a row is not corrected; a row without p is not counted, unless `count` says how many
    tests a family has. `columns` begin with TEST_COLUMNS.
    """
    families = defaultdict(list)
    for entry in rows:
        key = together(entry)
        if entry["role"] == "family" and key is not None and entry["p"] != NOT_APPLICABLE:
            families[key].append(entry)
    for entries in families.values():
        for entry, p_corrected in zip(entries, holm([entry["p"] for entry in entries], count), strict=True):
            entry.update(correction="holm", p_corrected=p_corrected)
    return pd.DataFrame(rows, columns=columns, dtype=object)


def holm(p_values: Sequence[float | str], count: int = 0) -> list[float | str]:
    """Step-down corrected p-values in the order given; "n/a" stays and is not counted (Holm 1979).

    With `count`, as if there were at least so many tests: those without p count as if they had the largest.
    """
    corrected, running_maximum = list(p_values), 0.0
    numbers = sorted((p, index) for index, p in enumerate(p_values) if p != NOT_APPLICABLE)
    of = max(len(numbers), count)
    for smaller, (p, index) in enumerate(numbers):
        running_maximum = max(running_maximum, min(1.0, (of - smaller) * p))
        corrected[index] = running_maximum
    return corrected


def limit_of(quantity: str) -> float:
    """The largest size of an effect of this name: 1 of a score or gap, 2 of two gaps, 4 of two gains."""
    if quantity.startswith(OF_TWO_GAINS):
        return 4.0
    return 2.0 if quantity in OF_TWO_GAPS else 1.0


def headline_cells(decomposition: pd.DataFrame) -> pd.DataFrame:
    """The rows of gap_decomposition.csv of balanced accuracy and one autoencoder each, without the means."""
    is_cell = decomposition["autoencoder"] != NOT_APPLICABLE
    return decomposition[is_cell & (decomposition["metric"] == HEADLINE_METRIC)]


def of_first_recipe(decomposition: pd.DataFrame) -> pd.DataFrame:
    """The rows of gap_decomposition.csv by the study's first recipe, which is shown where one stands for all."""
    recipe = decomposition["recipe"]
    return decomposition[recipe == recipe.iloc[0]] if len(recipe) else decomposition
