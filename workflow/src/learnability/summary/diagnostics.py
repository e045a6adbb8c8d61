"""What a study says of the properties of latents that the paper suspects, in one sentence."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..paper.findings import read_numbers
from ..significance.diagnostics import is_of
from ..significance.diagnostics_vs_gap import FEWEST, FEWEST_PAIRS, LEFT_OUT, NUMBER, OVER_AUTOENCODERS, suspects_of
from ..significance.level import ALPHA, P_BELOW
from ..study.words import counted
from ..tables.diagnostic_labels import label_of
from ..tables.layout import listed, number, score


def diagnostics_in_words(tests: pd.DataFrame | None) -> tuple[bool, str] | None:
    """Whether something goes with the gap, and the sentence; None of a study without such a table.

    `tests` is diagnostics_vs_gap.csv as `paper.findings.read_numbers` gives it.
    """
    rows = [] if tests is None else suspects_of(tests).to_dict("records")
    if not rows:
        return None
    tested = [row for row in rows if not np.isnan(row["p"])]
    families = int(max(row["n"] for row in rows))
    if not tested:
        why = (
            f"at least {FEWEST} that are no controls are needed" if families < FEWEST else "their numbers do not differ"
        )
        of = counted(families, "autoencoder")
        return False, f"Whether anything that latents are like goes with the gap cannot be told from {of}: {why}."
    found = [row for row in tested if row["p_corrected"] < ALPHA]
    if found:
        said = listed([_described(row, tests) for row in found])
        return True, (
            f"Over {counted(families, 'autoencoder')}, of the three properties of latents that the paper suspects, "
            f"{'these go' if len(found) > 1 else 'one goes'} with the gap (one-sided {P_BELOW}, Holm): {said}. "
            "This shows no cause."
        )
    return False, (
        f"None of the three properties of latents that the paper suspects is shown to go with the gap over "
        f"{counted(families, 'autoencoder')}: {'; '.join(_described(row, tests) for row in rows)}. "
        "No significance does not mean no relation."
    )


def diagnostics_of(folder: Path) -> str | None:
    """The same sentence of a results folder; None where the study has no such table."""
    path = folder / "significance" / "diagnostics_vs_gap.csv"
    said = diagnostics_in_words(read_numbers(path)) if path.is_file() else None
    return said and said[1]


def _described(row: dict, tests: pd.DataFrame) -> str:
    """'high-frequency energy (ρ = .60, .40 to .80 with one data set left out, p = .350)'."""
    name = label_of(*(row[key] for key in NUMBER))
    if np.isnan(row["effect"]):
        having = counted(int(row["n"]), "autoencoder")
        same = f"it, or the gap, is the same in all {having}"
        return f"{name} (no correlation: {same if row['n'] >= FEWEST_PAIRS else f'only {having} have both'})"
    same = is_of(tests, [row[key] for key in NUMBER]) & (tests["comparison"] == row["comparison"])
    others = tests.loc[same & (tests["test"] == OVER_AUTOENCODERS + LEFT_OUT), "effect"].dropna()
    said = [f"ρ = {score(row['effect'])}"]
    if len(others):
        said.append(f"{score(others.min())} to {score(others.max())} with one data set left out")
    if not np.isnan(row["p_corrected"]):
        said.append(f"p = {number(row['p_corrected'], decimals=3)}")
    elif row["n"] < FEWEST:
        said.append(f"no p from {counted(int(row['n']), 'autoencoder')}")
    return f"{name} ({', '.join(said)})"
