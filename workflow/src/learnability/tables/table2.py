"""Table 2: how well the autoencoders reconstruct."""

from collections.abc import Iterable

import pandas as pd

from ..errors import InputError
from .formats import render
from .frames import cells_by, mean_and_sd, named
from .labels import Labels, autoencoders_of, data_notes, datasets_of, notice
from .layout import MISSING, Best, Block, Layout, best_of, number

HEADS = {"ssim": "SSIM", "psnr": "PSNR"}
DECIMALS = {"ssim": 3, "psnr": 1}


def table2(fidelity: pd.DataFrame) -> pd.DataFrame:
    """Mean and sd (ddof 1) over images of SSIM and of PSNR in dB, which is inf for identical images."""
    if fidelity.empty:
        raise InputError("Table 2: no fidelity; expected one row per image; encode the datasets first")
    image = ["dataset", "autoencoder", "sample_id"]
    undefined = fidelity[list(HEADS)].isna().any(axis=1)
    for problem, mask in {"psnr or ssim is NaN": undefined, "two rows": fidelity.duplicated(image)}.items():
        for key in fidelity.loc[mask, image].itertuples(index=False):
            where = named(zip(image, key, strict=True))
            raise InputError(f"Table 2: {where}: {problem}; expected one row with values; encode again")
    identity = ["dataset", "autoencoder", "role"]
    rows = []
    for key, images in fidelity.groupby(identity, sort=False, dropna=False):
        rows += [(*key, metric, *mean_and_sd(images[metric]), len(images)) for metric in HEADS]
    return pd.DataFrame(rows, columns=[*identity, "metric", "mean", "sd", "n"])


def render_table2(table: pd.DataFrame, labels: Labels, footnotes: Iterable[str] = ()) -> dict[str, str]:
    """Table 2 as md, html and tex: mean SSIM and PSNR per autoencoder, families first, then the controls."""
    cells = cells_by(table, ["dataset", "autoencoder", "metric"])
    datasets, best = datasets_of(table, labels), _best(table)

    def block(autoencoder: str, name: str) -> Block:
        keys = [(dataset, autoencoder, metric) for dataset in datasets for metric in HEADS]
        return name, [[text(key) for key in keys]]

    def text(key: tuple[str, ...]) -> str:
        shown = number(cells[key]["mean"], decimals=DECIMALS[key[-1]]) if key in cells else MISSING
        return Best(shown) if key in best else shown

    caption = "Fidelity of reconstructions: SSIM and PSNR (dB), mean over images."
    caption += (" Bold: the best autoencoder." if best else "") + notice(datasets, labels)
    sections = [[block(*pair) for pair in group.items()] for group in autoencoders_of(table, labels)]
    spanners = [(name, [*HEADS.values()]) for name in datasets.values()]
    return render(
        Layout("Table 2", caption, ["Autoencoder"], spanners, sections, [*footnotes, *data_notes(datasets, labels)])
    )


def _best(table: pd.DataFrame) -> set[tuple[str, ...]]:
    """Cells of the best family."""
    found = set()
    for (dataset, metric), rows in table[table["role"] == "family"].groupby(["dataset", "metric"]):
        keys = [(dataset, name, metric) for name in rows["autoencoder"]]
        found |= best_of(dict(zip(keys, rows["mean"], strict=True)), DECIMALS[metric])
    return found
