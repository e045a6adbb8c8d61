"""What a training does before its first step: its files are checked and go to the device, and moments are computed."""

import time
from collections.abc import Iterator

from learnability.training.fold_data import load_fold

from ..setting import Figure, Setting
from ..studies import CHANNELS, IMAGES, N_SPLITS, given

SECONDS = 30
LARGEST = max(CHANNELS, key=CHANNELS.get)


def figures(setting: Setting) -> Iterator[Figure]:
    for kind in (LARGEST, IMAGES):
        read = given(setting, kind)
        started = time.perf_counter()
        data = load_fold(read["cell"], N_SPLITS, read["inputs"], setting.device)
        setting.wait()
        seconds = time.perf_counter() - started
        yield Figure(kind, "GB", data.array.nbytes / 1e9)
        yield Figure(kind, "load_fold, GB/s", data.array.nbytes / seconds / 1e9)
        if kind in CHANNELS:
            started = time.perf_counter()
            data.moments  # noqa: B018
            seconds = time.perf_counter() - started
            yield Figure(kind, "moments, GB/s", len(data.split["train"]) * data.array[0].nbytes / seconds / 1e9)
