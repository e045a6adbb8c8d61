"""Training on turned copies: of each image one is drawn at a step, among its encoding and those of its copies."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from ..autoencoders.symmetries import codes_of_copies, turn
from ..errors import InputError
from ..storage.arrays import open_packed
from ..storage.batches import Rows, Stacked
from ..storage.contracts import read_json, refuse_damaged
from .fold_data import Fold, Inputs

SAME = ("dataset_digest", "weights_digest", "config_digest", "fold")
STREAM = 1  # of the seed and the epoch: apart from the order of the rows


def draw_views(rows: np.ndarray, number: int, copies: int, seed: int, epoch: int) -> np.ndarray:
    """What is read for the training rows (n,) of `number` images: each itself, or one of its copies, equally often.

    Copy k of image i is row number + i · copies + k. The draw follows from seed and epoch: it is the same in every
    space, and after a kill.
    """
    view = np.random.default_rng([seed, epoch, STREAM]).integers(copies + 1, size=len(rows))
    return np.where(view > 0, number + rows * copies + view - 1, rows)


def with_turned_images(data: Fold, copies: int) -> Fold:
    """The fold of a run in image space, whose rows beyond the images are their turned copies."""
    codes = codes_of_copies(data.samples["sample_id"], copies)
    return replace(data, rows=TurnedRows(data.rows, codes))


class TurnedRows:
    """Batches of images, and of copies that are turned on the device; `codes` (N, copies) say how.

    Nothing is stored: area averages of a turned image are the turned averages, to the bit.
    """

    def __init__(self, rows: Rows, codes: np.ndarray):
        self.rows, self.codes = rows, codes
        self.device, self.held_bytes = rows.device, rows.held_bytes

    def batches(self, order: np.ndarray, batch_size: int) -> Iterator[torch.Tensor]:
        """Yield rows `order` (n,) in batches, numbered as by draw_views."""
        number, copies = self.codes.shape
        copy = order - number  # below 0 for an image itself
        code = torch.from_numpy(np.where(copy >= 0, self.codes.reshape(-1)[copy], 0)).to(self.device)
        start = 0
        for x in self.rows.batches(np.where(copy >= 0, copy // copies, order), batch_size):
            yield turn(x, code[start : start + len(x)])
            start += len(x)


def with_stored_copies(array: np.memmap, inputs: Inputs) -> tuple[Stacked, str]:
    """The encodings of images, `array`, followed by those of their copies, and the latter's digest.

    Raises InputError for copies by other weights, or of other images.
    """
    path, encoding = inputs.views, read_json(inputs.autoencoder_card)
    card = read_json(path.with_name("autoencoder.json"))
    refuse_damaged(path, card)
    if other := [key for key in SAME if card.get(key) != encoding.get(key)]:
        raise InputError(f"{path}: made with another {other[0]} than {inputs.array}; delete it and run again")
    packed = open_packed(path)
    if len(packed) != len(array) * card["copies"]:
        raise InputError(
            f"{path}: {len(packed)} rows for {card['copies']} copies of {len(array)} images; delete it and run again"
        )
    return Stacked(array, packed), card[f"digest_{path.stem}"]
