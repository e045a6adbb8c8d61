"""The honest gap: how much of the published gap the encoding itself costs."""

from itertools import chain

import pandas as pd

from ..storage.contracts import SCORES
from .cells import ANY_CELL, Cell, Runs, paired_differences, refuse_other_folds, runs_by_cell, runs_of
from .rows import NOT_APPLICABLE
from .t_tests import corrected_t

GAPS = ["gap_paper", "gap_matched", "gap_control", "gap_encoding"]
IDENTITY = ["dataset", "autoencoder", "metric", "role", "control", "n"]
GAP_COLUMNS = [*IDENTITY, *(f"{gap}{end}" for gap in GAPS for end in ("", "_ci_low", "_ci_high"))]


def gap_decomposition(metrics: pd.DataFrame, recipes: dict[str, str], controls: dict[str, str]) -> pd.DataFrame:
    """One row per dataset, autoencoder and metric: four gaps, each a mean over folds with its 95 % interval.

        gap_paper    = reconstruction(image)   - latent(latent)
        gap_matched  = reconstruction(matched) - latent(matched)
        gap_control  = image(matched)          - latent(matched) of the lossless control on the same grid
        gap_encoding = gap_matched - gap_control, fold by fold

    In brackets stands the recipe: `recipes` gives the names of the study's for `image`, `latent` and `matched`.
    `controls` names the lossless control of an autoencoder; its latents are the pixels rearranged, so that its
    reconstructions would be the images. Rows are the autoencoders with `matched` reconstructions that are no such
    control. Without a control gap_control and gap_encoding are "n/a"; so are intervals of one fold or of no
    variance. Intervals are Nadeau and Bengio's, which count that training sets overlap. A run that a gap needs and
    that is missing is an InputError.

    Limits. One network, start, augmentation (none) and masking (none) stand on both sides of gap_matched, and the
    control stands on the latent grid with the same stem, so gap_encoding is free of these. It equals latent(control)
    - latent(autoencoder) less what the images lose by reconstruction, and supposes that grid and encoding add up.
    Control and latent differ in channels, hence in the width of the stem; steps and learning rate are the same and
    not the best of each side; reconstructions are 8-bit. Folds grouped by patient or lesion are for the study to keep.
    """
    lossless = set(controls.values())
    rows = []
    for metric in SCORES:
        runs = runs_by_cell(metrics, metric, ANY_CELL)
        for dataset, autoencoder, space, recipe in runs:
            if (space, recipe) == ("reconstruction", recipes["matched"]) and autoencoder not in lossless:
                control = controls.get(autoencoder)
                gaps = _gaps(runs, dataset, autoencoder, control, recipes, metric)
                rows.append(_row(gaps, control or NOT_APPLICABLE))
    return pd.DataFrame(rows, columns=GAP_COLUMNS, dtype=object)


def _gaps(
    runs: Runs, dataset: str, autoencoder: str, control: str | None, recipes: dict[str, str], metric: str
) -> dict[str, Cell]:
    """The gaps of one row by name, fold by fold; those that need a control only where there is one."""

    def scores(autoencoder: str, space: str, recipe: str) -> pd.DataFrame:
        return runs_of(runs, dataset, autoencoder, space, recipes[recipe])

    paper = scores(autoencoder, "reconstruction", "image"), scores(autoencoder, "latent", "latent")
    matched = scores(autoencoder, "reconstruction", "matched"), scores(autoencoder, "latent", "matched")
    sides = {"gap_paper": paper, "gap_matched": matched}
    if control:
        sides["gap_control"] = scores("original", "image", "matched"), scores(control, "latent", "matched")
    refuse_other_folds(*chain(*sides.values()))
    gaps = {name: paired_differences(*pair, metric) for name, pair in sides.items()}
    if control:
        encoding = gaps["gap_matched"].differences - gaps["gap_control"].differences
        gaps["gap_encoding"] = gaps["gap_matched"]._replace(differences=encoding)
    return gaps


def _row(gaps: dict[str, Cell], control: str) -> dict:
    matched = gaps["gap_matched"]
    row = (
        dict.fromkeys(GAP_COLUMNS, NOT_APPLICABLE)
        | matched.labels
        | {"control": control, "n": len(matched.differences)}
    )
    for name, gap in gaps.items():
        result = corrected_t(gap.differences, gap.test_over_train)
        row |= {name: result["effect"]}
        row |= {f"{name}_{end}": result[end] for end in ("ci_low", "ci_high") if end in result}
    return row
