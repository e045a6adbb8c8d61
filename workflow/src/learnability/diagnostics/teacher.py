"""Whether latents see the same images as alike as a teacher does, a network with the weights of another task."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ..classifiers.classifier import layers_called
from ..classifiers.weights import load_weights, read_weights, trained_moments
from ..errors import InputError
from .rows import Row, row
from .similarity import cka, cknna

KS = (5, 10)
FEWEST = 4  # images of which the unbiased estimate is made
BATCH = 32


@torch.inference_mode()
def teacher_features(model: str, weights: Path, images: np.ndarray, device: torch.device) -> torch.Tensor:
    """Pooled features (n, d) of a timm model with the weights of a file, of RGB images uint8 (n, H, W, 3)."""
    import timm

    if not timm.is_model(model):  # which also keeps timm from asking a hub
        raise InputError(f"study.diagnostics.teacher: timm {timm.__version__} has no {model!r}; see timm.list_models()")
    network = timm.create_model(model, num_classes=0).eval().to(device)
    if misfits := load_weights(network, read_weights(weights), tuple(layers_called(network, "classifier"))):
        raise InputError(f"{weights}: these weights do not fit {model} ({misfits}); name the model that they are of")
    mean, std = (torch.tensor(part, device=device).view(1, 3, 1, 1) for part in trained_moments(weights, model))
    batches = torch.from_numpy(images).movedim(-1, 1).split(BATCH)
    return torch.cat([network((x.to(device).float() - mean) / std) for x in batches])


def diagnose_likeness(variant: str, pooled: torch.Tensor, features: torch.Tensor | None) -> Iterator[Row]:
    """Alignment of pooled latents (n, C) with a teacher's features (n, d) of the same images; its null is with others'.

    Without a teacher the rows say so.
    """
    number = len(pooled)
    order = torch.randperm(number, generator=torch.Generator().manual_seed(0)).to(pooled.device)
    functions = {("cka", ""): (FEWEST, cka)}
    functions |= {("cknna", f";k={k}"): (max(k + 1, FEWEST), partial(cknna, neighbours=k)) for k in KS}
    for (name, parameter), (fewest, function) in functions.items():
        unless = "no teacher" if features is None else "fewer images than neighbours" if number < fewest else None
        pair = [] if unless else [features, features[order]]
        yield row(name, variant + parameter, number, partial(function, pooled), pair, "equal features", unless)
