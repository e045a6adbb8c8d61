"""Table 2: how well the autoencoders reconstruct."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..autoencoders.lossy import ENCODING, lossy
from ..errors import InputError
from .caveats import below_psnr, sentences
from .formats import render
from .frames import cells_by, mean_and_sd, named
from .labels import Labels, autoencoders_of, data_notes, datasets_of, notice, present
from .layout import MISSING, Best, Block, Layout, best_cells, number

CELL = ["dataset", "autoencoder", "metric"]
HEADS = {"ssim": "SSIM", "psnr": "PSNR"}
DECIMALS = {"ssim": 3, "psnr": 1}


def table2(fidelity: pd.DataFrame) -> pd.DataFrame:
    """Mean and sd (ddof 1) of SSIM over all `n` images, and of PSNR in dB over those that are not `identical`.

    Where all are identical, PSNR is inf.
    """
    if fidelity.empty:
        raise InputError("Table 2: no fidelity; expected one row per image; encode the datasets first")
    image = ["dataset", "autoencoder", "sample_id"]
    undefined = fidelity[list(HEADS)].isna().any(axis=1)
    for problem, mask in {"psnr or ssim is NaN": undefined, "two rows": fidelity.duplicated(image)}.items():
        for key in fidelity.loc[mask, image].itertuples(index=False):
            where = named(zip(image, key, strict=True))
            raise InputError(f"Table 2: {where}: {problem}; expected one row with values; encode again")
    rows = []
    for key, images in fidelity.groupby(ENCODING, sort=False, dropna=False):
        values = {"ssim": images["ssim"], "psnr": lossy(images["psnr"])}
        counts = len(images), int(np.isinf(images["psnr"]).sum())
        rows += [(*key, metric, *mean_and_sd(values[metric]), *counts) for metric in HEADS]
    return pd.DataFrame(rows, columns=[*ENCODING, "metric", "mean", "sd", "n", "identical"])


def render_table2(table: pd.DataFrame, labels: Labels, footnotes: Iterable[str] = ()) -> dict[str, str]:
    """Table 2 as md, html and tex: mean SSIM and PSNR per autoencoder, families first, then the controls."""
    cells, datasets = cells_by(table, CELL), datasets_of(table, labels)
    families = table[table["role"] == "family"]
    of_metric = (best_cells(families[families["metric"] == name], ["dataset"], CELL, DECIMALS[name]) for name in HEADS)
    best = set().union(*of_metric)

    def block(autoencoder: str, name: str) -> Block:
        keys = [(dataset, autoencoder, metric) for dataset in datasets for metric in HEADS]
        return name, [[text(key) for key in keys]]

    def text(key: tuple[str, ...]) -> str:
        shown = number(cells[key]["mean"], decimals=DECIMALS[key[-1]]) if key in cells else MISSING
        return Best(shown) if key in best else shown

    caption = "Fidelity of reconstructions: SSIM and PSNR (dB), mean over images."
    caption += (" Bold: the best autoencoder." if best else "") + notice(datasets, labels)
    sections = [[block(*pair) for pair in group.items()] for group in autoencoders_of(table, labels)]
    low = sentences(below_psnr(table), datasets, labels.autoencoders)
    notes = [*footnotes, *low, *left_out(table, labels), *data_notes(datasets, labels)]
    spanners = [(name, [*HEADS.values()]) for name in datasets.values()]
    return render(Layout("Table 2", caption, ["Autoencoder"], spanners, sections, notes))


def left_out(table: pd.DataFrame, labels: Labels) -> list[str]:
    """In words, how many images are not in a mean of PSNR because they came back identical; nothing where none is."""
    rows = table[(table["metric"] == "psnr") & (table["identical"] > 0) & np.isfinite(table["mean"])]
    datasets, names = datasets_of(rows, labels), present(rows["autoencoder"], labels.autoencoders)
    counts = [
        f"{row['identical']:,} of {row['n']:,} ({datasets[row['dataset']]}, {names[row['autoencoder']]})"
        for row in rows.to_dict("records")
    ]
    said = "Images that came back identical have no finite PSNR and are not in its mean: "
    return [f"{said}{'; '.join(counts)}."] if counts else []
