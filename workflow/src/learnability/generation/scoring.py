"""Class probabilities of generated latents or images by a trained classifier (`learnability score`)."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ..classifiers.saved import load_classifier
from ..errors import InputError
from ..storage.contracts import read_json, write_parquet
from ..training.evaluation import autocast
from ..workflow.jobs import choose_device
from .images import image_batches
from .latents import latent_batches

BATCH = 32
ARRAYS = (".npy", ".safetensors")


def score(
    run: Path,
    sources: list[Path],
    out: Path,
    config: dict,
    autoencoder: str | None = None,
    sigma: float | None = None,
    units: Path | None = None,
) -> pd.DataFrame:
    """Write, and return, the class probabilities of generated latents or images: softmax of the unscaled logits.

    `run` is the folder of a training; `sources` one array of latents (N, C, h, w), or images and folders of images.
    For a classifier of latents, images pass through the named autoencoder; for one of images, they are reduced to its
    size, as in the study that `config` describes. `units` is the autoencoder.json in whose pipeline units the latents
    are; without it they are raw. `sigma` is the noise that the latents carry. Columns: sample_id, then a float64 per
    class.
    """
    if out.suffix != ".parquet":
        raise InputError(f"--out {out}: scores are a Parquet file; give a name that ends in .parquet")
    device = choose_device(torch.get_num_threads())
    classifier = load_classifier(run, device)
    description = read_json(run / "model.json")
    if sigma is not None and classifier.levels is None:
        raise InputError(f"{run}: this classifier knows no noise levels; leave out --sigma, or train it with `noise`")
    if sigma is not None and not 0 <= sigma < math.inf:
        raise InputError(f"--sigma {sigma}: expected a number of at least 0")
    if any(source.suffix in ARRAYS for source in sources):
        if autoencoder or len(sources) > 1:
            raise InputError(f"{sources[0]}: give one array of latents, without an autoencoder, or images")
        names, batches = latent_batches(sources[0], description, units, BATCH)
    else:
        if units:
            raise InputError("--pipeline-units: images have none; they are for arrays of latents")
        names, batches = image_batches(sources, description, config, autoencoder, device, BATCH)
    probability = np.concatenate(
        [probabilities(classifier, x.to(device), sigma, names[i : i + BATCH]) for i, x in batches]
    )
    frame = pd.DataFrame(probability, columns=classifier.classes)
    frame.insert(0, "sample_id", names)
    write_parquet(frame, out)
    return frame


@torch.inference_mode()
def probabilities(classifier: torch.nn.Module, x: torch.Tensor, sigma: float | None, names: list[str]) -> np.ndarray:
    """Class probabilities, float64 (n, K), of raw latents or 8-bit images x (n, C, H, W), as the study predicts."""
    x = x.float()
    finite = torch.isfinite(x).flatten(1).all(1)
    if not bool(finite.all()):
        raise InputError(f"sample {names[int(torch.nonzero(~finite)[0])]} has NaN or infinity; generate it again")
    x = x.contiguous(memory_format=torch.channels_last)
    with autocast(x.device):
        logits = classifier(x, sigma).float()
    return logits.double().softmax(dim=1).cpu().numpy()
