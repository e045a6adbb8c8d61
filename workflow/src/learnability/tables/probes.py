"""The probe ladder: what each of a row of classifiers reads from every space, and how many bits that is."""

from collections.abc import Callable, Iterable, Sequence

import pandas as pd

from ..significance.cells import ANY_CELL, runs_by_cell
from ..significance.information import BITS
from ..significance.rows import HEADLINE_METRIC, NOT_APPLICABLE
from ..significance.t_tests import corrected_t
from .formats import render
from .frames import cells_by, mean_and_sd, refuse_wrong_folds, score_rows
from .labels import Labels, autoencoders_of, data_notes, datasets_of, notice
from .layout import MISSING, Layout, cell_text, number, points, values_over_folds

PROBE_COLUMNS = ["dataset", "autoencoder", "role", "space", "recipe", "metric", "mean", "sd", "n_folds"]
INFORMATION_COLUMNS = [*PROBE_COLUMNS[:5], "quantity", "mean", "sd", "ci_low", "ci_high", "n_folds"]
GAP = "reconstruction_vs_latent"  # in place of a space: the difference of two
SPACES = {"image": "IS", "reconstruction": "RS", "latent": "LS"}


def probes(metrics: pd.DataFrame, folds: Sequence[int]) -> pd.DataFrame:
    """Mean and sd (ddof 1) over folds of every dataset, autoencoder, space and recipe; each has all of `folds`."""
    rows = []
    for key, runs in runs_by_cell(metrics, cell=ANY_CELL).items():
        where = "Probes: dataset {}, autoencoder {}, space {}, recipe {}".format(*key)
        identity = (*key[:2], runs["role"].iloc[0], *key[2:])
        rows += [(*identity, *score) for score in score_rows(runs.reset_index(), folds, where)]
    return pd.DataFrame(rows, columns=PROBE_COLUMNS)


def information(runs: pd.DataFrame, folds: Sequence[int]) -> pd.DataFrame:
    """Bits of every cell, and gap_V = I_V(x_hat) - I_V(z) of each recipe with both: mean, sd and interval over folds.

    `runs` have the columns of significance.information. The interval is Nadeau and Bengio's, "n/a" with fewer than
    three folds or without variance.
    """
    cells, rows = runs_by_cell(runs, cell=ANY_CELL), []

    def row(key: tuple, role: str, space: str, quantity: str, values: pd.Series, ratio: float) -> tuple:
        test = corrected_t(values, ratio)
        ends = [test.get(end, NOT_APPLICABLE) for end in ("ci_low", "ci_high")]
        return (*key[:2], role, space, key[3], quantity, *mean_and_sd(values), *ends, len(values))

    for key, own in cells.items():
        refuse_wrong_folds(own.reset_index(), folds, "Information: {}, {}, {}, {}".format(*key))
        role, ratio = own["role"].iloc[0], float((own["n_test"] / own["n_train"]).mean())
        rows += [row(key, role, key[2], quantity, own[quantity], ratio) for quantity in BITS]
        other = cells.get((*key[:2], "latent", key[3]))
        if key[2] == "reconstruction" and other is not None:
            rows.append(row(key, role, GAP, "information", own["information"] - other["information"], ratio))
    return pd.DataFrame(rows, columns=INFORMATION_COLUMNS)


def render_probes(table: pd.DataFrame, labels: Labels, footnotes: Iterable[str] = ()) -> dict[str, str]:
    """Balanced accuracy as md, html and tex: a block per autoencoder, a row per rung, the gap beside both spaces."""
    table = table[table["metric"] == HEADLINE_METRIC]
    caption = (
        "The probe ladder: balanced accuracy of classifiers trained with cross-entropy, in image space (IS), "
        f"reconstruction space (RS) and latent space (LS), {values_over_folds(table, True)}"
        f"{'; RS − LS in points' if _has_gap(table) else ''}."
    )
    cells = cells_by(table, ["dataset", "autoencoder", "space", "recipe"])

    def gap(dataset: str, autoencoder: str, recipe: str) -> str:
        sides = [cells.get((dataset, autoencoder, space, recipe)) for space in ("reconstruction", "latent")]
        return points(sides[0]["mean"] - sides[1]["mean"]) if all(sides) else MISSING

    def shown(dataset: str, autoencoder: str, space: str, recipe: str) -> str:
        return cell_text(cells.get((dataset, autoencoder, space, recipe)), True)

    return _ladder("Probes", caption, table, labels, shown, gap, footnotes)


def render_information(table: pd.DataFrame, labels: Labels, footnotes: Iterable[str] = ()) -> dict[str, str]:
    """Usable information as md, html and tex, laid out as the probes."""
    table = table[table["quantity"] == "information"]
    gaps = table[table["space"] == GAP]
    interval = " with its 95 % interval" if (gaps["ci_low"] != NOT_APPLICABLE).any() else ""
    caption = (
        "Usable information (V-information) in bits: what classifiers of each kind, trained with cross-entropy, learn "
        "about the class from images (IS), reconstructions (RS) and latents (LS), "
        f"{values_over_folds(table, True)}{f'; RS − LS{interval}' if _has_gap(table) else ''}."
    )
    cells = cells_by(table, ["dataset", "autoencoder", "space", "recipe"])

    def gap(dataset: str, autoencoder: str, recipe: str) -> str:
        cell = cells.get((dataset, autoencoder, GAP, recipe))
        if cell is None:
            return MISSING
        ends = [cell["ci_low"], cell["ci_high"]]
        interval = "" if NOT_APPLICABLE in ends else " [{}, {}]".format(*(number(float(end)) for end in ends))
        return (number(cell["mean"]) + interval).replace("-", "−")

    def shown(dataset: str, autoencoder: str, space: str, recipe: str) -> str:
        return cell_text(cells.get((dataset, autoencoder, space, recipe)), True).replace("-", "−")

    return _ladder("Information", caption, table, labels, shown, gap, footnotes)


def _has_gap(table: pd.DataFrame) -> bool:
    return {"reconstruction", "latent"} <= set(table["space"])


def _ladder(
    title: str, caption: str, table: pd.DataFrame, labels: Labels, shown: Callable[..., str], gap: Callable[..., str],
    footnotes: Iterable[str],
) -> dict[str, str]:  # fmt: skip
    """A block per autoencoder and a row per recipe; a study of images alone has one block of these."""
    datasets, (families, controls) = datasets_of(table, labels), autoencoders_of(table, labels)
    named = families | controls or {"original": "Image Space"}
    spaces = {space: head for space, head in SPACES.items() if space in set(table["space"])}
    has_gap = _has_gap(table)

    def row(autoencoder: str, recipe: str) -> list[str]:
        texts = [labels.rows.get(recipe, recipe.replace("_", " "))]
        for dataset in datasets:
            texts += [shown(dataset, "original" if s == "image" else autoencoder, s, recipe) for s in spaces]
            texts += [gap(dataset, autoencoder, recipe)] if has_gap else []
        return texts

    heads = [*spaces.values(), *(["RS − LS"] if has_gap else [])]
    recipes = [*dict.fromkeys(table["recipe"])]
    recipes = [
        *(name for name in labels.rows if name in recipes),
        *(name for name in recipes if name not in labels.rows),
    ]
    sections = [[(name, [row(key, recipe) for recipe in recipes])] for key, name in named.items()]
    notes = [*footnotes, *data_notes(table["dataset"], labels)]
    caption += notice(table["dataset"], labels)
    stubs = ["Autoencoder", "Classifier"]
    return render(Layout(title, caption, stubs, [(name, heads) for name in datasets.values()], sections, notes))
