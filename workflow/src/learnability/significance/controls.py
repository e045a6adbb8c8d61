"""Controls of both kinds: is a gap found where one exists by construction, and none where there is none?"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..study.truths import TABLE1
from .cells import ANY_CELL, runs_by_cell, runs_of
from .chance import chance
from .group_level import GroupTest, excess
from .predictions import Images, answers, as_score, paired_rows, tested_on
from .rows import HEADLINE_METRIC, NOT_APPLICABLE, headline_cells, of_first_recipe

FOUND, ABSENT, UNDECIDED = "found", "absent", "cannot be told"
LARGEST_MARGIN = 0.05  # balanced accuracy, within which a gap counts as none
CONTROL_COLUMNS = ["control", "dataset", "recipe", "expected", "effect", "ci_low", "ci_high", "p", "margin", "verdict"]
CONTROL_COLUMNS += ["expected_effect", "score", "score_ci_low", "score_ci_high", "score_df", "chance"]
CONTROL_COLUMNS += ["method", "df", "n_groups", "n_folds"]


def control_verdicts(
    metrics: pd.DataFrame,
    images: Mapping[str, Images],
    comparisons: Sequence[dict],
    decomposition: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row per dataset and comparison (study.controls.comparisons): the gap over groups of images, and a verdict.

    `metrics` are runs with `right` (predictions.with_right), `images` by dataset; the margin of each recipe follows
    from gap_decomposition.csv, where the study has it. Where the second side scores 1 / K by construction, `score` is
    its balanced accuracy, `chance` the mean over folds of 1 / K for the classes tested, which is the most that guessing
    scores, and `expected_effect` the first side's score less that. Comparisons of one dataset and `_kind` share the
    variance between folds; below three folds the test has the variance of sampling only, which is enough where the
    truth is known.
    """
    runs, rows = runs_by_cell(metrics, HEADLINE_METRIC, ANY_CELL), []
    for dataset in metrics["dataset"].unique():
        sides = [[runs_of(runs, dataset, *entry[side]) for side in ("first", "second")] for entry in comparisons]
        paired = [paired_rows(images[dataset], [first], [second]) for first, second in sides]
        for entry, (_, second), differences in zip(comparisons, sides, paired, strict=True):
            alike = [other for other, of in zip(paired, comparisons, strict=True) if _kind(of) == _kind(entry)]
            test = tested_on(images[dataset], differences, excess(alike))
            row = {"control": entry["control"], "dataset": dataset, "recipe": entry["recipe"]}
            row |= {key: getattr(test, key) for key in ("effect", "ci_low", "ci_high", "p")}
            row |= {key: getattr(test, key) for key in ("method", "df", "n_groups", "n_folds")}
            row["expected"] = entry["expected"]
            if entry["recipe"] != TABLE1:
                margin = margin_of(decomposition, entry["recipe"])
                row |= {"margin": margin, "verdict": verdict(test, margin)}
            rows.append(row | (_at_chance(test, second, images[dataset]) if entry["at_chance"] else {}))
    return pd.DataFrame(rows, columns=CONTROL_COLUMNS).astype(object).fillna(NOT_APPLICABLE)


def verdict(test: GroupTest, margin: float) -> str:
    """*found*: the interval lies above 0; *absent*: it lies within ± margin; else *cannot be told*."""
    if test.ci_low is None:
        return UNDECIDED
    if test.ci_low > 0:
        return FOUND
    return ABSENT if -margin <= test.ci_low and test.ci_high <= margin else UNDECIDED


def margin_of(decomposition: pd.DataFrame | None, recipe: str) -> float:
    """Half the size of the families' mean matched gap by a recipe, at most LARGEST_MARGIN.

    For a recipe that it lacks, the gap by the first one is taken; LARGEST_MARGIN where none was measured.
    """
    if decomposition is None:
        return LARGEST_MARGIN
    families = headline_cells(decomposition)
    families = families[families["role"] == "family"]
    if families.empty:
        return LARGEST_MARGIN
    own = families[families["recipe"] == recipe]
    families = of_first_recipe(families) if own.empty else own
    return min(LARGEST_MARGIN, abs(float(families["gap_matched"].astype(float).mean())) / 2)


def _kind(entry: dict) -> tuple:
    """What the variance of training depends on: a seed, an autoencoder or latents at chance make another one."""
    _, space, _ = entry["second"]
    return entry["recipe"], entry["expected"], entry["at_chance"], space


def _at_chance(gap: GroupTest, runs: pd.DataFrame, images: Images) -> dict:
    """The score of a side that should be at chance, with its interval."""
    rows = answers(images, runs)
    score = as_score(tested_on(images, rows, excess([rows])))
    # Who always says the most frequent class is right about one of those that the fold tests, not of all.
    tested = [len(np.unique(rows.label[rows.fold == fold])) for fold in rows.folds()]
    guess = float(np.mean([chance(classes, HEADLINE_METRIC) for classes in tested]))
    found = {"score": score.effect, "score_ci_low": score.ci_low, "score_ci_high": score.ci_high}
    found |= {"score_df": score.df, "chance": guess}
    return found | {"expected_effect": gap.effect + score.effect - guess}
