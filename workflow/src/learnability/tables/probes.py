"""The probe ladder: what each of a row of classifiers reads from every space, and how many bits that is."""

from collections.abc import Iterable, Sequence

import pandas as pd

from ..significance.cells import ANY_CELL, runs_by_cell
from ..significance.information import BITS
from ..significance.rows import HEADLINE_METRIC, NOT_APPLICABLE
from ..significance.t_tests import corrected_t
from .formats import render
from .frames import IDENTITY, cells_by, mean_and_sd, mean_scores, refuse_wrong_folds
from .labels import Labels, autoencoders_of, data_notes, datasets_of, notice
from .layout import MISSING, SPACE_HEADS, Layout, cell_text, number, points, values_over_folds

INFORMATION_COLUMNS = [*IDENTITY, "quantity", "mean", "sd", "ci_low", "ci_high", "n_folds"]
ROW = ["dataset", "autoencoder", "recipe"]
GAP = "reconstruction_vs_latent"  # in place of a space: the difference of two


def probes(metrics: pd.DataFrame, folds: Sequence[int]) -> pd.DataFrame:
    """Mean and sd (ddof 1) over folds of every dataset, autoencoder, space and recipe; each has all of `folds`."""
    return mean_scores(metrics, folds, "Probes")


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
    means = table.pivot(index=ROW, columns="space", values="mean").reindex(columns=[*SPACE_HEADS])
    gaps = (means["reconstruction"] - means["latent"]).dropna().map(points).to_dict()
    caption = (
        "The probe ladder: balanced accuracy of classifiers trained with cross-entropy, in image space (IS), "
        f"reconstruction space (RS) and latent space (LS), {values_over_folds(table)}"
        f"{'; RS − LS in points' if gaps else ''}."
    )
    return _ladder("Probes", caption, table, labels, gaps, footnotes)


def render_information(table: pd.DataFrame, labels: Labels, footnotes: Iterable[str] = ()) -> dict[str, str]:
    """Usable information as md, html and tex, laid out as the probes."""
    table = table[table["quantity"] == "information"]
    differences = table[table["space"] == GAP]
    gaps = {tuple(row[key] for key in ROW): _in_bits(row) for row in differences.to_dict("records")}
    interval = " with its 95 % interval" if (differences["ci_low"] != NOT_APPLICABLE).any() else ""
    caption = (
        "Usable information (V-information) in bits: what classifiers of each kind, trained with cross-entropy, learn "
        "about the class from images (IS), reconstructions (RS) and latents (LS), "
        f"{values_over_folds(table)}{f'; RS − LS{interval}' if gaps else ''}."
    )
    return _ladder("Information", caption, table, labels, gaps, footnotes)


def _in_bits(gap: dict) -> str:
    """'−.021 [−.050, .008]', or without an interval where there is none."""
    ends = gap["ci_low"], gap["ci_high"]
    interval = "" if NOT_APPLICABLE in ends else " [{}, {}]".format(*(number(float(end)) for end in ends))
    return (number(gap["mean"]) + interval).replace("-", "−")


def _ladder(
    title: str, caption: str, table: pd.DataFrame, labels: Labels, gaps: dict[tuple, str], footnotes: Iterable[str]
) -> dict[str, str]:
    """A block per autoencoder and a row per recipe; a study of images alone has one block of these.

    `gaps` say what stands beside both spaces, by dataset, autoencoder and recipe.
    """
    datasets, (families, controls) = datasets_of(table, labels), autoencoders_of(table, labels)
    cells = cells_by(table, [*ROW, "space"])
    spaces = {space: head for space, head in SPACE_HEADS.items() if space in set(table["space"])}

    def row(autoencoder: str, recipe: str) -> list[str]:
        texts = [labels.rows.get(recipe, recipe.replace("_", " "))]
        for dataset in datasets:
            keys = [(dataset, "original" if space == "image" else autoencoder, recipe, space) for space in spaces]
            texts += [cell_text(cells.get(key)).replace("-", "−") for key in keys]
            texts += [gaps.get((dataset, autoencoder, recipe), MISSING)] if gaps else []
        return texts

    heads = [*spaces.values(), *(["RS − LS"] if gaps else [])]
    there = set(table["recipe"])
    recipes = [name for name in dict.fromkeys([*labels.rows, *table["recipe"]]) if name in there]
    named = families | controls or {"original": "Image Space"}
    sections = [[(name, [row(key, recipe) for recipe in recipes])] for key, name in named.items()]
    notes = [*footnotes, *data_notes(datasets, labels)]
    spanners = [(name, heads) for name in datasets.values()]
    stubs = ["Autoencoder", "Classifier"]
    return render(Layout(title, caption + notice(datasets, labels), stubs, spanners, sections, notes))
