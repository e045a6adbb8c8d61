"""Table 3's inference: samples per second and memory of both classifiers, at the batch sizes of the study."""

from collections.abc import Iterator

from learnability.efficiency.measure import TrainingBatches, measure_inference
from learnability.efficiency.throughput import Timing
from learnability.study.configuration import read_config

from ..setting import Figure, Setting
from ..studies import IMAGES, LATENTS, classifier_of, fold_of

SECONDS = 60


def figures(setting: Setting) -> Iterator[Figure]:
    sizes = [1, 4] if setting.tiny else read_config()["study"]["efficiency"]["batch_sizes"]
    timing = Timing(1, 1, 0.0, 1) if setting.tiny else Timing(warmup=5, iterations=5, seconds=0.4, repeats=3)
    for kind in (LATENTS, IMAGES):
        data = fold_of(setting, kind, keep=False)
        model = classifier_of(setting, kind, data)
        batches = TrainingBatches(data.rows, data.label, data.split["train"])
        for size, found in measure_inference(model, batches, sizes, timing).items():
            yield Figure(f"{kind}, batch {size}", "samples/s", found.samples_per_second)
            yield Figure(f"{kind}, batch {size}", "peak MB", found.peak_mb)
