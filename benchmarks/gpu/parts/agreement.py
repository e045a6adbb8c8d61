"""A classifier that was trained on the CPU: what the device says of the same rows, by precision; and augmentation."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from learnability.classifiers.saved import load_classifier
from learnability.training.augmentation import augment
from learnability.training.engine import train_classifier
from learnability.training.evaluation import predict
from learnability.training.fold_data import Fold

from ..setting import Figure, Setting
from ..studies import LATENTS, fold_of, given, recipe_for
from .autoencoders import Precision

SECONDS = 30
CPU = torch.device("cpu")


def figures(setting: Setting) -> Iterator[Figure]:
    # Small on a GPU too: a CPU trains it.
    small = replace(setting, tiny=True, scratch=setting.scratch / "agreement")
    on_cpu, run = replace(small, device=CPU), small.scratch / "run"
    recipe = recipe_for(small, LATENTS, epochs=2, lr=2e-3)
    train_classifier(recipe=recipe, seed=0, code="", folder=run, **given(on_cpu, LATENTS))
    truth = predict(load_classifier(run, CPU), fold_of(on_cpu, LATENTS), "test")
    data = fold_of(small, LATENTS)
    model = load_classifier(run, setting.device)
    for precision in ("float32", "TF32", "bfloat16"):
        yield from difference(precision, truth, probabilities(setting, model, data, precision))
    yield from difference("as the study predicts", truth, predict(model, data, "test"))
    yield from augmentation(setting)


@torch.inference_mode()
def probabilities(setting: Setting, model, data: Fold, precision: str) -> np.ndarray:
    rows = data.split["test"]
    x = next(data.rows.batches(rows, len(rows)))
    with Precision(setting, precision):
        logits = model(x.float().contiguous(memory_format=torch.channels_last)).float()
    return logits.double().softmax(dim=1).cpu().numpy()


def difference(name: str, truth: np.ndarray, found: np.ndarray) -> Iterator[Figure]:
    yield Figure(name, "largest difference of a probability", float(np.abs(found - truth).max()))
    yield Figure(name, "share of other classes", float((found.argmax(1) != truth.argmax(1)).mean()))


def augmentation(setting: Setting) -> Iterator[Figure]:
    """The grid that images are rotated on is a matrix product: is it TF32 where the engine has set its switches?"""
    angle = torch.tensor([0.2, 0.1, -0.05, 0.26], dtype=torch.float64)
    zero = torch.zeros_like(angle)
    theta = torch.stack([angle.cos(), -angle.sin(), zero, angle.sin(), angle.cos(), zero], 1).view(4, 2, 3)
    exact = F.affine_grid(theta, [4, 3, 256, 256], align_corners=False)
    grid = F.affine_grid(theta.float().to(setting.device), [4, 3, 256, 256], align_corners=False)
    off = (grid.double().cpu() - exact).abs().max() * 128
    yield Figure("grid of a rotation at 256 px", "pixels off (below 0.001 where it is float32)", float(off))
    x = (torch.rand(8, 3, 256, 256, device=setting.device) * 255).round()
    flipped = augment(x, ["flip"], 0)
    off = torch.minimum((flipped - x).abs().amax((1, 2, 3)), (flipped - x.flip(3)).abs().amax((1, 2, 3)))
    yield Figure("flip at 256 px", "grey levels off (below 0.1 is a flip)", float(off.max()))
