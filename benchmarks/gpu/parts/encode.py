"""The step encode_dataset over its bare passes, twice the same, and decoding on the fly against what it stored."""

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from learnability.autoencoders.decoding import image_decoder
from learnability.autoencoders.encode import encode_dataset, images_a_pass, open_both

from ...noise_study import write_images
from ..setting import Figure, Setting
from .autoencoders import entry_of

SECONDS = 60
NAME = "flux2"


def figures(setting: Setting) -> Iterator[Figure]:
    size, number = setting.size(512, 64), setting.size(32, 6)
    dataset = setting.scratch / "encoded"
    dataset.mkdir()
    write_images(dataset, number, size)
    entry = entry_of(setting, NAME)
    _, images, _, autoencoder = open_both(NAME, entry, dataset, setting.device)  # which also turns on TF32
    passes(setting, autoencoder, images)  # warm-up
    ratios, rates = [], []
    for attempt in range(2):
        bare = seconds_of(setting, lambda: passes(setting, autoencoder, images))
        whole = seconds_of(setting, lambda at=attempt: encode(setting, entry, dataset, at))
        # It loads the weights too, and checks that they repeat themselves, which does not grow with the data.
        begun = seconds_of(setting, lambda: open_both(NAME, entry, dataset, setting.device))
        ratios.append((whole - begun) / bare)
        rates.append(number / bare)
    yield Figure(NAME, "bare passes, images/s", statistics.median(rates))
    yield Figure(NAME, "encode_dataset over them", min(ratios))
    first, again = (dataset / f"encoding{attempt}" for attempt in range(2))
    for name in ("latents", "reconstructions"):
        same = (first / f"{name}.npy").read_bytes() == (again / f"{name}.npy").read_bytes()
        yield Figure(NAME, f"{name} the same bytes twice", str(same))
    yield from on_the_fly(setting, autoencoder, first, size // 2)


@torch.inference_mode()
def passes(setting: Setting, autoencoder, images: np.ndarray) -> None:
    """Encode and decode alone; nothing is read back or kept."""
    batch = images_a_pass(images.shape[1], setting.device)  # as the study passes them
    for start in range(0, len(images), batch):
        x = torch.from_numpy(np.array(images[start : start + batch])).to(setting.device).permute(0, 3, 1, 2)
        autoencoder.decode(autoencoder.encode(x.float() / 127.5 - 1))


def encode(setting: Setting, entry: dict, dataset: Path, attempt: int) -> None:
    encode_dataset(NAME, entry, dataset, dataset / f"encoding{attempt}", setting.device)


def seconds_of(setting: Setting, call: Callable[[], object]) -> float:
    setting.wait()
    started = time.perf_counter()
    call()
    setting.wait()
    return time.perf_counter() - started


def on_the_fly(setting: Setting, autoencoder, encoding: Path, small: int) -> Iterator[Figure]:
    """How far images decoded in a training lie from the stored ones; 0 on a CPU."""
    stored = np.load(encoding / "reconstructions.npy").astype(int)
    z = torch.from_numpy(np.load(encoding / "latents.npy")).to(setting.device)
    decoded = image_decoder(NAME, autoencoder, small)(z, [""] * len(z)).permute(0, 2, 3, 1).cpu().numpy()
    off = np.abs(decoded - stored)
    yield Figure(NAME, "on the fly, largest difference in grey levels", int(off.max()))
    yield Figure(NAME, "share of values that differ", float((off > 0).mean()))
