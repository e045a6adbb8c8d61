"""Table 3's inference: samples per second and memory of both classifiers, at the batch sizes of the study."""

from collections.abc import Iterator

import torch

from learnability.efficiency.measure import TrainingBatches, measure_inference
from learnability.efficiency.throughput import Timing
from learnability.study.configuration import read_config

from ..setting import Figure, Setting
from ..studies import IMAGES, LATENTS, stepper

SECONDS = 60


def figures(setting: Setting) -> Iterator[Figure]:
    sizes = [1, 4] if setting.tiny else read_config()["study"]["efficiency"]["batch_sizes"]
    timing = Timing(1, 1, 0.0, 1) if setting.tiny else Timing(warmup=5, iterations=5, seconds=0.4, repeats=3)
    for kind in (LATENTS, IMAGES):
        step = stepper(setting, kind)
        batches = TrainingBatches(step.data.rows, step.data.label, step.data.split["train"])
        with torch.no_grad():
            measured = measure_inference(step.model, batches, sizes, timing)
        for size, found in measured.items():
            yield Figure(f"{kind}, batch {size}", "samples/s", found.samples_per_second)
            yield Figure(f"{kind}, batch {size}", "peak MB", found.peak_mb)
