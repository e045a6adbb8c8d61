"""What a training does before its first step: its files are checked and go to the device, and moments are computed."""

import time
from collections.abc import Iterator

from ..setting import Figure, Setting
from ..studies import CHANNELS, IMAGES, fold_of, inputs_of

SECONDS = 30
LARGEST = max(CHANNELS, key=CHANNELS.get)


def figures(setting: Setting) -> Iterator[Figure]:
    for kind in (LARGEST, IMAGES):
        inputs_of(setting, kind)  # written before the clock runs
        setting.wait()  # for the device to be ready, too
        started = time.perf_counter()
        data = fold_of(setting, kind)
        setting.wait()
        seconds = time.perf_counter() - started
        yield Figure(kind, "GB", data.array.nbytes / 1e9)
        yield Figure(kind, "load_fold, GB/s", data.array.nbytes / seconds / 1e9)
        if kind in CHANNELS:
            started = time.perf_counter()
            data.moments  # noqa: B018
            seconds = time.perf_counter() - started
            yield Figure(kind, "moments, GB/s", len(data.split["train"]) * data.array[0].nbytes / seconds / 1e9)
