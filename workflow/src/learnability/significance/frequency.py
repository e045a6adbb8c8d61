"""The gap on the frequent, the middle and the rare classes of a dataset, by the test over groups of images."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from .cells import ANY_CELL, Runs, runs_by_cell, runs_of
from .group_level import PairedRows, excess
from .predictions import Images, paired_rows, tested_on
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

    What is over goes to the first parts: seven classes are 3, 2 and 2. Two classes are head and tail. Ties keep the
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
            for labels, rows in _gaps(runs, images[dataset], (dataset, autoencoder), recipe, named, controls):
                found.append(Gap(dict(zip(IDENTITY, labels, strict=True)), rows))
    rows = []
    for gap in found:
        shared = {other.labels["autoencoder"]: other.rows for other in found if _shares_variance(gap, other)}
        if gap.labels["kind"] == "gap_control":  # one cell for each control, as in gap_decomposition.csv
            shared = {controls[name]: rows for name, rows in shared.items()}
        near = [*shared.values()]
        card = cards[gap.labels["dataset"]]
        for part, classes in parts_of(card["counts"]).items():
            kept = [card["classes"].index(name) for name in classes]
            rows.append(gap.labels | _tested(gap, near, images[gap.labels["dataset"]], kept, part, classes))
    return pd.DataFrame(rows, columns=FREQUENCY_COLUMNS, dtype=object)


def _gaps(runs: Runs, images: Images, pair: tuple[str, str], recipe: str, recipes: dict, controls: dict[str, str]):
    """The labels of IDENTITY and the rows of every gap that an autoencoder's reconstructions by a recipe begin."""
    dataset, name = pair

    def side(autoencoder: str, space: str, trainings: Sequence[str]) -> list[pd.DataFrame]:
        return [runs_of(runs, dataset, autoencoder, space, training) for training in trainings]

    role = runs[(*pair, "reconstruction", recipe)]["role"].iloc[0]
    if recipe == recipes["image"] and (*pair, "latent", recipes["latent"]) in runs:
        rows = paired_rows(images, side(name, "reconstruction", [recipe]), side(name, "latent", [recipes["latent"]]))
        yield (*pair, role, "table1", "gap_paper"), rows
    if recipe in recipes["matched"]:
        trainings = recipes["matched"][recipe]
        matched = paired_rows(images, side(name, "reconstruction", trainings), side(name, "latent", trainings))
        yield (*pair, role, recipe, "gap_matched"), matched
        if control := controls.get(name):
            lossless = paired_rows(images, side("original", "image", trainings), side(control, "latent", trainings))
            yield (*pair, role, recipe, "gap_control"), lossless
            rest = matched._replace(difference=matched.difference - lossless.difference)
            yield (*pair, role, recipe, "gap_encoding"), rest


def _shares_variance(gap: Gap, other: Gap) -> bool:
    return all(gap.labels[key] == other.labels[key] for key in ("dataset", "role", "recipe", "kind"))


def _tested(
    gap: Gap, near: Sequence[PairedRows], images: Images, kept: list[int], part: str, classes: list[str]
) -> dict:
    """What a row says of one part of the classes."""
    named = {"part": part, "classes": ", ".join(classes)}
    if not np.isin(gap.rows.label, kept).any():
        return named | dict.fromkeys(FREQUENCY_COLUMNS[len(IDENTITY) + 2 :], NOT_APPLICABLE)
    e = excess([of_classes(rows, kept) for rows in near])
    test = tested_on(images, of_classes(gap.rows, kept), e, limit_of(gap.labels["kind"]))
    shown = {"n_groups": test.n_groups, "gap": test.effect, "ci_low": test.ci_low, "ci_high": test.ci_high}
    shown |= {"n_folds": test.n_folds, "method": test.method}
    return named | {key: NOT_APPLICABLE if value is None else value for key, value in shown.items()}


def of_classes(rows: PairedRows, kept: Sequence[int]) -> PairedRows:
    """The rows of these classes."""
    chosen = np.isin(rows.label, kept)
    return PairedRows(*(values[chosen] for values in rows))
