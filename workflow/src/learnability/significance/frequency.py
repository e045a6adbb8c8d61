"""The gap on the frequent, the middle and the rare classes of a dataset, by the test over groups of images."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..study.truths import TABLE1
from .cells import ANY_CELL, Runs, runs_by_cell
from .gap_kinds import excess_of, image_by_image, sides_of_gaps
from .group_level import PairedRows
from .predictions import Images, tested_on
from .rows import NOT_APPLICABLE, limit_of

PARTS = ("head", "middle", "tail")
IDENTITY = ["dataset", "autoencoder", "role", "recipe", "kind"]
FREQUENCY_COLUMNS = [*IDENTITY, "part", "classes", "n_groups", "gap", "ci_low", "ci_high", "n_folds", "method"]


class Gap(NamedTuple):
    """One gap of one autoencoder, image by image."""

    labels: dict[str, str]  # of IDENTITY
    rows: PairedRows


def parts_of(counts: Mapping[str, int]) -> dict[str, list[str]]:
    """Classes by their number of images, the most frequent first, in three parts of equally many classes.

    Left-over classes go to the first parts: seven are 3, 2 and 2. Two classes are head and tail. Ties keep the
    card's order.
    """
    classes = sorted(counts, key=lambda name: -counts[name])
    parts = PARTS if len(classes) > 2 else (PARTS[0], PARTS[-1])
    return {part: list(names) for part, names in zip(parts, np.array_split(classes, len(parts)), strict=True)}


def gap_by_frequency(
    metrics: pd.DataFrame,
    images: Mapping[str, Images],
    cards: Mapping[str, dict],
    recipes: dict,
    decomposed: Mapping[str, Sequence[str]],
    controls: dict[str, str],
) -> pd.DataFrame:
    """FREQUENCY_COLUMNS: the mean over folds of the difference of mean recalls over the classes of each part.

    `metrics` are runs with `right` (predictions.with_right); `images` and `cards` are by dataset. `recipes` has those
    of Table 1, `image` in reconstruction and `latent` in latent space, and in `matched` by the name of each matched
    recipe its trainings, over which a gap is averaged. `decomposed` has the `datasets` and `autoencoders` of the gap's
    decomposition: others have the gap of Table 1 alone, also where its recipe is a matched one. `controls` names the
    lossless control of an autoencoder. The kinds are those of gap_decomposition.csv. Test rows are those of the part's
    classes alone; gaps of a dataset, kind, recipe and role share the variance between folds. "n/a" where nothing
    varies.
    """
    runs, found = runs_by_cell(metrics, cell=ANY_CELL), []
    for dataset, autoencoder, space, recipe in runs:
        if space == "reconstruction":
            inside = dataset in decomposed["datasets"] and autoencoder in decomposed["autoencoders"]
            named = recipes if inside else recipes | {"matched": {}}
            found += _gaps(runs, images[dataset], (dataset, autoencoder), recipe, named, controls)
    rows = []
    for gap in found:
        near = {other.labels["autoencoder"]: other.rows for other in found if _shares_variance(gap, other)}
        card = cards[gap.labels["dataset"]]
        for part, classes in parts_of(card["counts"]).items():
            kept = [card["classes"].index(name) for name in classes]
            tested = _tested(gap, near, controls, images[gap.labels["dataset"]], kept)
            rows.append(gap.labels | {"part": part, "classes": ", ".join(classes)} | tested)
    return pd.DataFrame(rows, columns=FREQUENCY_COLUMNS, dtype=object)


def _gaps(
    runs: Runs, images: Images, pair: tuple[str, str], recipe: str, recipes: dict, controls: Mapping[str, str]
) -> list[Gap]:
    """Every gap that an autoencoder's reconstructions by a recipe begin."""
    role, sides = runs[(*pair, "reconstruction", recipe)]["role"].iloc[0], {}
    if recipe == recipes["image"] and (*pair, "latent", recipes["latent"]) in runs:
        sides[TABLE1] = sides_of_gaps(runs, *pair, {"image": [recipe], "latent": [recipes["latent"]]})
    if trainings := recipes["matched"].get(recipe):
        sides[recipe] = sides_of_gaps(runs, *pair, {"matched": trainings}, controls.get(pair[1]))
    return [
        Gap(dict(zip(IDENTITY, (*pair, role, name, kind), strict=True)), rows)
        for name, of_name in sides.items()
        for kind, rows in image_by_image(of_name, images).items()
    ]


def _shares_variance(gap: Gap, other: Gap) -> bool:
    return all(gap.labels[key] == other.labels[key] for key in ("dataset", "role", "recipe", "kind"))


def _tested(
    gap: Gap, near: Mapping[str, PairedRows], controls: Mapping[str, str], images: Images, kept: list[int]
) -> dict:
    """What a row says of the gap on these classes; `near` share the variance between folds, by autoencoder."""
    if not np.isin(gap.rows.label, kept).any():
        return dict.fromkeys(FREQUENCY_COLUMNS[len(IDENTITY) + 2 :], NOT_APPLICABLE)
    kind, shared = gap.labels["kind"], {name: of_classes(rows, kept) for name, rows in near.items()}
    test = tested_on(images, of_classes(gap.rows, kept), excess_of(kind, shared, controls), limit_of(kind))
    shown = {"n_groups": test.n_groups, "gap": test.effect, "ci_low": test.ci_low, "ci_high": test.ci_high}
    shown |= {"n_folds": test.n_folds, "method": test.method}
    return {key: NOT_APPLICABLE if value is None else value for key, value in shown.items()}


def of_classes(rows: PairedRows, kept: Sequence[int]) -> PairedRows:
    """The rows of these classes."""
    chosen = np.isin(rows.label, kept)
    return PairedRows(*(values[chosen] for values in rows))
