"""Table 6: what closes the gap, and at what price: the gap with and without each remedy, under the matched protocol."""

from collections.abc import Iterable, Sequence

import pandas as pd

from ..significance.cells import ANY_CELL, Runs, runs_by_cell, runs_of
from ..significance.group_level import SAMPLING
from ..significance.level import CONFIDENCE
from ..significance.remedies import GAP, SCORE
from ..significance.rows import CELL_TEST, HEADLINE_METRIC, NOT_APPLICABLE
from ..significance.t_tests import corrected_t
from ..storage.contracts import SCORES
from ..study.truths import DECODER_BLOCKS, NONE
from .formats import render
from .frames import cells_by, refuse_wrong_folds
from .labels import Labels, autoencoders_of, data_notes, datasets_of, notice, remedies_in_words
from .layout import MISSING, Block, Layout, amount, number, points

TABLE6_COLUMNS = [
    "dataset", "autoencoder", "remedy", "recipe", "metric", "mean", "ci_low", "ci_high", "gap", "gap_without", "gflop",
    "mb", "psnr", "n_folds",
]  # fmt: skip
ROW = TABLE6_COLUMNS[:4]
HEADS = ["LS", "Gap", "Closed", "dB"]


def table6(
    metrics: pd.DataFrame, tests: pd.DataFrame, psnr: pd.DataFrame, rows: Sequence[dict], folds: Sequence[int]
) -> pd.DataFrame:
    """TABLE6_COLUMNS of every dataset, row of study.remedies.remedy_rows and metric.

    `mean` is the score on latents: balanced accuracy with the interval of `tests` (significance.remedies), the others
    with Nadeau and Bengio's over folds. `gflop` and `mb` are what one image takes in front of the classifier and on
    disk, `psnr` (dataset, autoencoder, psnr) is what its reconstructions have, inf without loss. "n/a": no interval.
    """
    runs, found = runs_by_cell(metrics, cell=ANY_CELL), []
    intervals = cells_by(tests[(tests["test"] == CELL_TEST) & (tests["comparison"] == SCORE)], ROW)
    fidelity = psnr.set_index(["dataset", "autoencoder"])["psnr"]
    for dataset in metrics["dataset"].unique():
        sides = {
            (entry["autoencoder"], entry["recipe"]): [_whole(runs, folds, dataset, *side) for side in entry["gap"]]
            for entry in rows
        }
        for entry in rows:
            name, recipe, remedy = (entry[key] for key in ("autoencoder", "recipe", "remedy"))
            identity, (_, latent) = (dataset, name, remedy, recipe), sides[name, recipe]
            gflop = latent["decoder_blocks_gflop"].iloc[0] if remedy == DECODER_BLOCKS else entry["gflop"]
            price = gflop, entry["mb"], fidelity[dataset, name], len(latent)
            for metric in SCORES:
                over_folds = corrected_t(latent[metric], float((latent["n_test"] / latent["n_train"]).mean()))
                interval = intervals[identity] if metric == HEADLINE_METRIC else over_folds
                ends = [interval.get(end, NOT_APPLICABLE) for end in ("ci_low", "ci_high")]
                gaps = [_gap(sides[key], metric) for key in ((name, recipe), tuple(entry["without"]))]
                found.append((*identity, metric, latent[metric].mean(), *ends, *gaps, *price))
    return pd.DataFrame(found, columns=TABLE6_COLUMNS)


def _whole(runs: Runs, folds: Sequence[int], *cell: str) -> pd.DataFrame:
    """The runs of a cell, which must have each fold once and no other."""
    found = runs_of(runs, *cell)
    refuse_wrong_folds(found.reset_index(), folds, "Table 6: {}, {}, {}, {}".format(*cell))
    return found


def _gap(sides: list[pd.DataFrame], metric: str) -> float:
    first, second = sides
    return float((first[metric] - second[metric]).mean())


def shares_closed(table: pd.DataFrame, tests: pd.DataFrame) -> dict[tuple, float | None]:
    """1 - gap / gap_without by the ROW of Table 6, of balanced accuracy; `tests` is significance/remedies.csv.

    None where the interval of the gap without the remedy does not lie above 0: then there need be no gap to close. The
    row without a remedy is that gap, and is left out.
    """
    gaps = tests[(tests["test"] == CELL_TEST) & (tests["comparison"] == GAP)]
    bases, plain = gaps.set_index(ROW)["base"].to_dict(), gaps[gaps["remedy"] == NONE]
    positive = pd.to_numeric(plain["ci_low"], errors="coerce") > 0
    above = zip(plain["dataset"], plain["autoencoder"], positive, strict=True)
    sure = {(dataset, name) for dataset, name, is_above in above if is_above}
    return {
        key: 1 - row["gap"] / row["gap_without"] if (key[0], bases[key]) in sure else None
        for key, row in cells_by(table[table["metric"] == HEADLINE_METRIC], ROW).items()
        if key[2] != NONE
    }


def render_table6(
    table: pd.DataFrame, tests: pd.DataFrame, labels: Labels, footnotes: Iterable[str] = ()
) -> dict[str, str]:
    """Balanced accuracy as md, html and tex: a block per autoencoder, families first, a row per remedy and recipe."""
    table, closed = table[table["metric"] == HEADLINE_METRIC], shares_closed(table, tests)
    cells, datasets = cells_by(table, ROW), datasets_of(table, labels)
    words = remedies_in_words(zip(table["remedy"], table["recipe"], strict=True))
    groups = autoencoders_of(tests[tests["autoencoder"] != NOT_APPLICABLE], labels)

    def block(autoencoder: str, label: str) -> Block:
        own = table[table["autoencoder"] == autoencoder].drop_duplicates(["remedy", "recipe"])
        lines = []
        for row in own.to_dict("records"):
            keys = [(dataset, autoencoder, row["remedy"], row["recipe"]) for dataset in datasets]
            price = amount(round(float(row["gflop"]), 4)), amount(float(row["mb"]))
            shown = [text for key in keys for text in _shown(cells.get(key), closed.get(key, MISSING))]
            lines.append([words[row["remedy"], row["recipe"]], *price, *shown])
        return label, lines

    spanners = [(name, HEADS) for name in datasets.values()]
    notes = [*footnotes, *data_notes(datasets, labels)]
    sections = [[block(*pair) for pair in group.items()] for group in groups]
    stubs = ["Autoencoder", "Remedy", "GFLOP", "MB"]
    caption = _caption(table, tests) + notice(datasets, labels)
    return render(Layout("Table 6", caption, stubs, spanners, sections, notes))


def _caption(table: pd.DataFrame, tests: pd.DataFrame) -> str:
    alone = (tests.loc[tests["method"] != NOT_APPLICABLE, "method"] == SAMPLING).any()
    over = f"over {table['n_folds'].max()} folds" if table["n_folds"].max() > 1 else "of one fold"
    return (
        f"What closes the gap: balanced accuracy on latents (LS, mean {over}) with its {CONFIDENCE} interval over "
        f"groups of images{', whose variance is that of sampling alone' if alone else ''}; the gap in points, "
        "reconstructions less latents by one recipe in every space; and the part of the gap that the remedy closes, "
        f"n/a where the {CONFIDENCE} interval of the gap without it does not lie above 0. Price: GFLOP in front of the "
        "classifier and MB stored more, of one image (latents and reconstructions of its views); dB, the PSNR of "
        "reconstructions. Equivariant fine-tuning is to close the gap of its base, and more of it than fine-tuning "
        "alone, which has its own block. What a lossless control (below) gains is not the encoding's."
    )


def _shown(cell: dict | None, closed: float | str | None) -> list[str]:
    """The cell of HEADS; `closed` None is a part of a gap that need not be there."""
    if cell is None:
        return [MISSING] * len(HEADS)
    ends = [cell["ci_low"], cell["ci_high"]]
    interval = "" if NOT_APPLICABLE in ends else " [{}, {}]".format(*(number(float(end)) for end in ends))
    part = NOT_APPLICABLE if closed is None else closed if closed == MISSING else f"{round(100 * closed)} %"
    texts = [number(cell["mean"]) + interval, points(cell["gap"]), part, number(cell["psnr"], decimals=1)]
    return [text.replace("-", "−") for text in texts]
