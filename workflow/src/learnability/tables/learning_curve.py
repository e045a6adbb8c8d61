"""Learning curves: scores and bits over the number of training images, and what they say of a price in samples."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from ..errors import InputError
from ..significance.cells import ANY_CELL, runs_by_cell
from ..significance.information import sample_complexity, surplus_description_length
from ..significance.rows import HEADLINE_METRIC, NOT_APPLICABLE
from .formats import render
from .frames import mean_and_sd, refuse_wrong_folds
from .labels import Labels, autoencoders_of, data_notes, datasets_of, notice
from .layout import MISSING, SPACE_HEADS, Layout, cell_text, number, values_over_folds

CURVE_METRICS = [HEADLINE_METRIC, "cross_entropy"]
IDENTITY = ["dataset", "autoencoder", "role", "space"]
CURVE_COLUMNS = [*IDENTITY, "recipe", "train_share", "n_images", "n_groups", "metric", "eps_of", "eps", "mean", "sd",
                 "n_folds"]  # fmt: skip
SDL, ESC = "surplus_description_length", "sample_complexity"


def learning_curve(runs: pd.DataFrame, shares: Mapping[str, float], folds: Sequence[int]) -> pd.DataFrame:
    """A row per cell, share and metric, then surplus description length and eSC of each curve; "n/a" where not theirs.

    `runs` have the columns of significance.information and `n_train_groups`; `shares` gives train_share by recipe, one
    of which is 1. eps is the mean cross-entropy at all rows, of the images and of the autoencoder's reconstructions,
    where they are there. n is in images, a mean over folds; an eSC that is not reached is "n/a (> n)".
    """
    rows = []
    for key, own in runs_by_cell(runs, cell=ANY_CELL).items():
        refuse_wrong_folds(own.reset_index(), folds, "Learning curve: {}, {}, {}, {}".format(*key))
        size = own["n_train"].mean(), own["n_train_groups"].mean()
        known = (*key[:2], own["role"].iloc[0], *key[2:], shares[key[3]], *size)
        rows += [
            (*known, metric, *[NOT_APPLICABLE] * 2, *mean_and_sd(own[metric]), len(own)) for metric in CURVE_METRICS
        ]
    table = pd.DataFrame(rows, columns=CURVE_COLUMNS)
    table = table.sort_values([*IDENTITY[:2], "space", "train_share"], kind="stable")
    return pd.concat([table, _prices(table)], ignore_index=True).astype(object)


def _prices(table: pd.DataFrame) -> pd.DataFrame:
    """SDL and eSC of every curve of cross-entropy, against each eps that there is."""
    bits, rows = table[table["metric"] == "cross_entropy"], []
    whole = bits[bits["train_share"] == 1].set_index(["dataset", "autoencoder", "space"])["mean"]
    for (dataset, autoencoder, role, space), curve in bits.groupby(IDENTITY, sort=False):
        if 1 not in set(curve["train_share"]):
            raise InputError(f"{dataset}, {autoencoder}, {space}: no run with all training rows; run that recipe")
        n, loss = curve["n_images"].tolist(), curve["mean"].tolist()
        for of in ("image", "reconstruction"):
            place = (dataset, "original" if of == "image" else autoencoder, of)
            if place in whole.index:
                least = sample_complexity(n, loss, whole[place])
                values = {SDL: surplus_description_length(n, loss, whole[place])}
                values[ESC] = f"{NOT_APPLICABLE} (> {n[-1]:.0f})" if least is None else least
                rows += [
                    (dataset, autoencoder, role, space, *[NOT_APPLICABLE] * 4, metric, of, whole[place], value,
                     NOT_APPLICABLE, curve["n_folds"].iloc[0])
                    for metric, value in values.items()
                ]  # fmt: skip
    return pd.DataFrame(rows, columns=CURVE_COLUMNS)


def render_learning_curve(table: pd.DataFrame, labels: Labels, footnotes: Iterable[str] = ()) -> dict[str, str]:
    """As md, html and tex: for every dataset a section, for every autoencoder and space a row per share."""
    families, controls = autoencoders_of(table, labels)
    named = {"original": "Images"} | families | controls
    sections = []
    for dataset, name in datasets_of(table, labels).items():
        own = table[table["dataset"] == dataset]
        keys = [(a, s) for a in named for s in SPACE_HEADS if ((own["autoencoder"] == a) & (own["space"] == s)).any()]
        lines = [line for key in keys for line in _lines(own, *key, named[key[0]])]
        sections.append([(name, lines)])
    shown = table[table["sd"] != NOT_APPLICABLE]
    price = (
        " The last row of a curve has, against the loss of reconstructions at all rows, the surplus description length "
        "(SDL, bits) and the least number of images that reach it (eSC)."
    )
    priced = (table["eps_of"] == "reconstruction").any()
    caption = (
        "Learning curves: balanced accuracy (bACC) and cross-entropy in bits, at the temperature fitted on validation "
        f"rows, over the share of the training groups, {values_over_folds(shown)}."
        f"{price if priced else ''}{notice(table['dataset'], labels)}"
    )
    heads = [("Training rows", ["share", "images", "groups"]), ("Test rows", ["bACC", "bits"]),
             ("Price", ["SDL", "eSC"])]  # fmt: skip
    notes = [*footnotes, *data_notes(table["dataset"], labels)]
    return render(Layout("Learning curve", caption, ["Dataset", "Input", "Sp."], heads, sections, notes))


def _lines(own: pd.DataFrame, autoencoder: str, space: str, name: str) -> list[list[str]]:
    """The rows of one curve, from the smallest share."""
    curve = own[(own["autoencoder"] == autoencoder) & (own["space"] == space)]
    prices = curve[curve["eps_of"] == "reconstruction"].set_index("metric")["mean"]
    steps, lines = curve[curve["eps_of"] == NOT_APPLICABLE], []
    for share, rows in steps.groupby("train_share", sort=False):
        cells = rows.set_index("metric").to_dict("index")
        sizes = [f"{float(rows[key].iloc[0]):,.0f}" for key in ("n_images", "n_groups")]
        scores = [cell_text(cells[metric]) for metric in CURVE_METRICS]
        lines.append([name, SPACE_HEADS[space], f"{float(share):.0%}", *sizes, *scores, "", ""])
    if SDL in prices:
        lines[-1][-2:] = [number(float(prices[SDL]), decimals=0), _count(prices[ESC])]
    return [[cell or MISSING for cell in line] for line in lines]


def _count(value: float | str) -> str:
    """The number, or "> 400" of what is "n/a (> 400)"."""
    return value.removeprefix(f"{NOT_APPLICABLE} (").rstrip(")") if isinstance(value, str) else f"{value:,.0f}"
