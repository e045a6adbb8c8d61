"""Encodings of flipped and turned copies of every image (the step encode_views)."""

from pathlib import Path

import numpy as np
import torch

from ..storage.arrays import rows_from
from ..storage.contracts import digest, write_json
from ..storage.partial_arrays import partial_arrays
from .ahead import encode_ahead
from .encode import encoding_card, images_a_pass, open_both, packed_arrays
from .interface import Autoencoder, scale_input
from .passes import area_average, decode_batch, encode_batch
from .symmetries import codes_of_copies, turn


class Copies:
    """Each of the images (N, H, W, C) `copies` times in a row, as an array of N · copies images: its length, slices."""

    def __init__(self, images: np.ndarray, copies: int):
        self.images, self.copies = images, copies

    def __len__(self) -> int:
        return len(self.images) * self.copies

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, _ = rows.indices(len(self))
        first = start // self.copies
        read = rows_from(self.images, first, -(-stop // self.copies))
        return read[np.arange(start, stop) // self.copies - first]


def encode_views(
    name: str,
    entry: dict,
    dataset: Path,
    folder: Path,
    device: torch.device,
    copies: int,
    split: dict | None = None,
    code: str = "",
) -> None:
    """Write latents.npy, reconstructions.npy and autoencoder.json of turned copies of every image into `folder`.

    Row i · copies + k is copy k of image i, by the symmetry that symmetries.codes_of_copies draws, encoded and decoded
    as encode_dataset does the image; without a decoder there are latents alone. `split` and `code` are as there, and a
    job that was killed goes on in the same way.
    """
    card, images, samples, autoencoder = open_both(name, entry, dataset, device)
    size, small = card["image_size"], card["classifier_size"]
    packed = packed_arrays(folder, autoencoder, size, small)
    del packed["channel_sums"]  # copies are normalised as the images themselves
    batch, whole = images_a_pass(size, device), Copies(images, copies)
    ids = samples["sample_id"].repeat(copies).tolist()
    codes = codes_of_copies(samples["sample_id"], copies).reshape(-1)

    def describe() -> dict:
        described = encoding_card(name, entry, card, autoencoder, packed, device)
        return described | {"copies": copies, "fold": split["fold"] if split else None}

    def encode(x: torch.Tensor, start: int) -> dict[str, np.ndarray]:
        here = slice(start, start + len(x))
        rows = encode_copies(name, entry, autoencoder, x, ids[here], codes[here], small)
        print(f"{name}: {here.stop} of {len(whole)} copies", flush=True)
        return rows

    with partial_arrays(folder, digest([describe(), entry, batch, device.type, code]), packed) as partial:
        if partial.rows:
            print(f"{name}: resumed after {partial.rows} of {len(whole)} copies", flush=True)
        encode_ahead(partial, whole, batch, device, encode)
        partial.save()
        write_json(describe(), folder / "autoencoder.json")  # now with the digests of the whole arrays
        partial.commit(packed)


@torch.inference_mode()
def encode_copies(
    name: str, entry: dict, autoencoder: Autoencoder, x: torch.Tensor, ids: list[str], codes: np.ndarray, small: int
) -> dict[str, np.ndarray]:
    """Latents and reconstructions, as they are stored, of uint8 images x (n, 3, H, W) turned by `codes` (n).

    A stochastic autoencoder draws for each copy by the image's name, of `ids` (n), and the copy's code.
    """
    x = turn(x, torch.from_numpy(codes).to(x.device))
    x = scale_input(x.contiguous(memory_format=torch.channels_last), entry)  # as images come: another, other bits
    seeds = [f"{sample_id} turned by {code}" for sample_id, code in zip(ids, codes, strict=True)]
    z = encode_batch(name, autoencoder, x, ids, seeds)
    rows = {"latents": z.cpu().numpy()}
    if autoencoder.decodes:
        x_hat = decode_batch(name, autoencoder, z, ids)
        rows["reconstructions"] = area_average(x_hat, small).permute(0, 2, 3, 1).cpu().numpy()
    return rows
