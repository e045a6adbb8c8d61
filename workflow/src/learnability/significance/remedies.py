"""What remedies gain, tested over groups of images: against the gap without them, and against what gains by chance."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from ..study.truths import NONE
from .cells import ANY_CELL, runs_by_cell, runs_of
from .group_level import excess, less, study_test
from .groups import GROUP_COLUMNS, OF_THESE, Compared, dataset_test, result_of
from .predictions import Images, answers, as_score, paired_rows, tested_on
from .rows import CELL_TEST, DATASET_TEST, HEADLINE_METRIC, NOT_APPLICABLE, limit_of, row, table

SCORE, GAP, GAIN = "latent", "gap", "gain"  # comparisons; further ones are the gain less that of a row in `against`
REMEDY_COLUMNS = ["remedy", "recipe", "base", *GROUP_COLUMNS]


def remedies(metrics: pd.DataFrame, images: Mapping[str, Images], rows: Sequence[dict]) -> pd.DataFrame:
    """REMEDY_COLUMNS of every row of study.remedies.remedy_rows, of every dataset and over the datasets.

        latent           = balanced accuracy on latents
        gap              = that on reconstructions less `latent`; of a lossless control that on the images
        gain             = gap of the row without the remedy - gap
        gain_vs_control  = gain - gain of the same recipe on the lossless control of the same grid
        gain_vs_rotate   = gain - gain of the random rotation, on the same autoencoder
        gain_vs_finetuning = gain - gain of fine-tuning in the same way, but not towards equivariance

    each image by image, so that what two gaps share cancels. `metrics` has `right` (predictions.with_right), `images`
    are by dataset. Families of a dataset share the variance between folds of one comparison and recipe. Gaps and gains
    of families are also averaged over the families of a dataset, and over the datasets; Holm's correction is over the
    families and datasets of one comparison and recipe. `base` is the autoencoder of the row without the remedy.
    """
    runs, found = runs_by_cell(metrics, HEADLINE_METRIC, ANY_CELL), []
    for dataset in metrics["dataset"].unique():
        found += _of_dataset(dataset, runs, images[dataset], rows)
    tested, over = [], {}
    for (remedy, recipe, dataset, role, comparison), cells in _together(found).items():
        e, limit = excess([cell.rows for cell in cells]), limit_of(comparison)
        labels = {"remedy": remedy, "recipe": recipe, "base": NOT_APPLICABLE, "role": role}
        for cell in cells:
            test = tested_on(images[dataset], cell.rows, e, limit)
            result = result_of(as_score(test) if comparison == SCORE else test)
            tested.append(row(CELL_TEST, comparison, result, **cell.labels))
        if role == "family" and comparison != SCORE:
            mean = dataset_test(cells, images[dataset], limit)
            tested.append(row(DATASET_TEST, comparison, result_of(mean), dataset=dataset, **labels))
            over.setdefault((comparison, tuple(labels.items())), []).append(mean)
    for (comparison, labels), tests in over.items():
        result = result_of(study_test(tests, limit_of(comparison))) | {"n": len(tests)}
        tested.append(row(OF_THESE, comparison, result, **dict(labels)))
    return table(tested, together=_corrected, columns=REMEDY_COLUMNS)


def _of_dataset(dataset: str, runs: dict, images: Images, rows: Sequence[dict]) -> list[Compared]:
    """Every comparison of every row."""
    sides = [[runs_of(runs, dataset, *side) for side in entry["gap"]] for entry in rows]
    names = [(entry["autoencoder"], entry["recipe"]) for entry in rows]
    gaps = {name: paired_rows(images, [first], [second]) for name, (first, second) in zip(names, sides, strict=True)}
    found = []
    for entry, name, (_, latent) in zip(rows, names, sides, strict=True):
        compared = {SCORE: answers(images, latent), GAP: gaps[name]}
        if entry["remedy"] != NONE:
            compared[GAIN] = less(gaps[tuple(entry["without"])], gaps[name])
        for other, (remedy, without) in entry["against"].items():
            theirs = less(gaps[tuple(without)], gaps[tuple(remedy)])
            compared[f"{GAIN}_vs_{other}"] = less(compared[GAIN], theirs)
        labels = {key: entry[key] for key in ("autoencoder", "remedy", "recipe")}
        labels |= {"dataset": dataset, "base": entry["without"][0], "role": latent["role"].iloc[0]}
        found += [Compared(comparison, labels, paired) for comparison, paired in compared.items()]
    return found


def _together(cells: Iterable[Compared]) -> dict[tuple[str, ...], list[Compared]]:
    """The cells of one remedy, recipe, dataset, role and comparison."""
    found: dict[tuple[str, ...], list[Compared]] = {}
    for cell in cells:
        key = *(cell.labels[name] for name in ("remedy", "recipe", "dataset", "role")), cell.comparison
        found.setdefault(key, []).append(cell)
    return found


def _corrected(entry: dict) -> tuple | None:
    """What Holm's correction is over; the rows over datasets are one test each, and a score is none."""
    if entry["test"] == OF_THESE or entry["comparison"] == SCORE:
        return None
    return tuple(entry[key] for key in ("test", "comparison", "remedy", "recipe"))
