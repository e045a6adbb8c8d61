"""Figure 3: originals, reconstructions and amplified differences, of the same images for every autoencoder.

Which images: of every dataset some classes, evenly spaced from the most frequent to the rarest; of each class its first
image, in the order of samples.parquet, in the first of the study's folds that tests any of it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..storage.arrays import open_packed
from ..storage.contracts import read_fidelity, read_folds, read_json, read_samples, refuse_damaged
from ..tables.labels import Labels, autoencoders_of, datasets_of
from .class_recall import head_to_tail
from .sheet import Sheet
from .style import SMALL, add_note, styled

AMPLIFICATIONS = (1, 2, 5, 10, 20, 50)


class Sample(NamedTuple):
    """One image that is shown: its row in the dataset's files, its class, and the fold that tests it."""

    row: int
    class_name: str
    fold: int


def choose_samples(label: np.ndarray, fold: np.ndarray, card: dict, folds: Sequence[int], number: int) -> list[Sample]:
    """The first tested image of `number` classes from head to tail; a class that no fold tests is passed over.

    `label`, `fold`: (N,) of every row of the dataset; `folds`: those that are run, in order.
    """
    first = {}
    for name in head_to_tail(card):
        of_class = label == card["classes"].index(name)
        tested = [k for k in folds if (of_class & (fold == k)).any()]
        if tested:
            first[name] = Sample(int(np.argmax(of_class & (fold == tested[0]))), name, tested[0])
    samples = list(first.values())
    places = np.unique(np.linspace(0, len(samples) - 1, min(number, len(samples))).round().astype(int))
    return [samples[place] for place in places]


class Original(NamedTuple):
    """The images of one dataset that are shown: uint8 (n, s, s, 3), and their ids."""

    samples: list[Sample]
    ids: list[str]
    x: np.ndarray


class Decoded(NamedTuple):
    """The reconstructions of the same images by one autoencoder, and their PSNR (dB) at its input size."""

    role: str
    x_hat: np.ndarray
    psnr: np.ndarray


def read_originals(
    cards: Sequence[str], samples: Sequence[str], folds: Sequence[str], images: Sequence[str], run: Sequence[int]
) -> dict[str, Original]:
    """The images that are shown, by dataset, from four files of each; `run` are the study's folds."""
    number = max(1, min(4, 8 // len(cards)))
    originals = {}
    for card, table, fold, array in zip(map(read_json, cards), samples, folds, images, strict=True):
        refuse_damaged(array, card)
        refuse_damaged(table, card)
        rows = read_samples(table)
        chosen = choose_samples(rows["label"].to_numpy(), read_folds(fold, rows), card, run, number)
        places = [sample.row for sample in chosen]
        ids = rows["sample_id"].iloc[places].tolist()
        originals[card["dataset"]] = Original(chosen, ids, np.array(open_packed(array)[places]))
    return originals


def read_reconstructions(
    originals: dict[str, Original], cards: Sequence[str], reconstructions: Sequence[str], fidelity: Sequence[str]
) -> dict[tuple[str, str], Decoded]:
    """Their reconstructions by dataset and autoencoder, from three files of each encoding.

    Where an autoencoder is fine-tuned for each fold, an image's is that of the fold which tests it.
    """
    decoded = {}
    for card, array, measured in zip(map(read_json, cards), reconstructions, fidelity, strict=True):
        refuse_damaged(array, card)
        refuse_damaged(measured, card)
        original = originals[card["dataset"]]
        empty = Decoded(card["role"], np.zeros_like(original.x), np.full(len(original.ids), np.nan))
        found = decoded.setdefault((card["dataset"], card["autoencoder"]), empty)
        x_hat, psnr = open_packed(array), read_fidelity(measured).set_index("sample_id")["psnr"]
        for i, (sample, name) in enumerate(zip(original.samples, original.ids, strict=True)):
            if card.get("fold") in (None, sample.fold):
                found.x_hat[i], found.psnr[i] = x_hat[sample.row], psnr[name]
    return decoded


def difference(x: np.ndarray, x_hat: np.ndarray) -> np.ndarray:
    """|x - x_hat| in grey levels, the mean over channels: uint8 (..., C) to float (...)."""
    return np.abs(x.astype(float) - x_hat.astype(float)).mean(axis=-1)


def amplification(differences: Sequence[np.ndarray]) -> int:
    """The strongest of AMPLIFICATIONS that keeps three quarters of these maps within 255 grey levels.

    A map is within them if 98 % of it is. What is not is shown as 255, else one bad autoencoder would darken all maps.
    """
    large = np.quantile([np.quantile(each, 0.98) for each in differences], 0.75) if len(differences) else 0.0
    return max(factor for factor in AMPLIFICATIONS if factor == 1 or factor * large <= 255)


@styled
def draw_figure3(originals: dict[str, Original], decoded: dict[tuple[str, str], Decoded], labels: Labels) -> Figure:
    """A column per image; the original on top, below it each autoencoder's reconstruction and difference."""
    roles = [(*key, found.role) for key, found in decoded.items()]
    pairs = pd.DataFrame(roles, columns=["dataset", "autoencoder", "role"])
    datasets = datasets_of(pd.DataFrame({"dataset": [*originals]}), labels)
    families, controls = autoencoders_of(pairs, labels)
    names = families | controls
    factor = amplification([difference(originals[key[0]].x, found.x_hat) for key, found in decoded.items()])
    heads = [[sample.class_name for sample in originals[name].samples] for name in datasets]
    sheet = Sheet(heads, 1 + 2 * len(names))
    for block, (dataset, label) in enumerate(datasets.items()):
        original = originals[dataset]
        sheet.title(block, label)
        for i in range(len(original.ids)):
            sheet.image(block, i, 0, original.x[i])
            for row, name in enumerate(names):
                if (dataset, name) not in decoded:
                    continue
                found = decoded[dataset, name]
                sheet.image(block, i, 1 + 2 * row, found.x_hat[i])
                axes = sheet.image(block, i, 2 + 2 * row, difference(original.x[i], found.x_hat[i]), 255 / factor)
                psnr = "identical" if np.isinf(found.psnr[i]) else f"{found.psnr[i]:.1f} dB"
                axes.text(0.03, 0.05, psnr, transform=axes.transAxes, fontsize=SMALL, color="white",
                          bbox={"facecolor": "black", "alpha": 0.75, "linewidth": 0, "pad": 0.8})  # fmt: skip
    sheet.row_names(names)
    if names:
        sheet.colour_bar(255 / factor)
    add_note(sheet.figure, sentences(factor, originals, decoded), labels, datasets)
    return sheet.figure


def sentences(factor: int, originals: dict[str, Original], decoded: dict) -> list[str]:
    """What the note says of these images."""
    folds = {sample.fold for original in originals.values() for sample in original.samples}
    tested = "fold " + " or ".join(map(str, sorted(folds)))
    chosen = f"Images: for classes from head to tail, the first one that {tested} tests."
    if not decoded:
        return [chosen, "No autoencoder of this study can be decoded."]
    return [
        f"Differences are amplified {factor} times, on one scale for all; beside them the PSNR at the autoencoder's "
        "input size.",
        chosen,
    ]
