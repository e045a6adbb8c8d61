"""LDAM with deferred re-weighting (Cao et al. 2019, arXiv 1906.07413)."""

import torch
import torch.nn.functional as F

from ...study.recipe import Recipe, Reweighting


def ldam_margins(counts: torch.Tensor, max_margin: float) -> torch.Tensor:
    """Margin of each class, C / n^(1/4), scaled so that the rarest class that trains gets `max_margin`; (K,) -> (K,).

    A class without rows is no true class of any, and would be the rarest: its margin is 0.
    """
    margins = torch.where(counts > 0, counts.clamp(min=1).double() ** -0.25, 0.0)
    return (margins * (max_margin / margins.max())).float()


def effective_number_weights(counts: torch.Tensor, beta: float) -> torch.Tensor:
    """Class weights (1 - beta) / (1 - beta^n), scaled to a mean of 1 over the classes that train; (K,) -> (K,).

    Of all K classes they then sum to K (Cui et al. 2019). The weight of a class without rows is 0.
    """
    present = counts > 0
    weights = torch.where(present, (1 - beta) / (1 - beta ** counts.clamp(min=1).double()), 0.0)
    return (weights * (int(present.sum()) / weights.sum())).float()


def ldam(logits: torch.Tensor, label: torch.Tensor, margins: torch.Tensor, scale: float, weights: torch.Tensor | None):
    """Cross-entropy of scale * (logits - margin of the true class); weighted mean as in F.cross_entropy.

    `logits` (N, K), `label` (N,), `margins` (K,), `weights` (K,) or None before the deferred switch.
    """
    shifted = logits - margins * F.one_hot(label, logits.shape[1])  # (N, K)
    return F.cross_entropy(scale * shifted, label, weight=weights)


class LDAMDeferred:
    """LDAM whose class weights come in after `after_epoch`; margins and weights from the training rows."""

    def __init__(self, counts: torch.Tensor, max_margin: float, scale: float, drw: Reweighting):
        self.margins, self.scale = ldam_margins(counts, max_margin), scale
        self.weights, self.after_epoch = effective_number_weights(counts, drw.beta), drw.after_epoch

    def __call__(self, logits: torch.Tensor, label: torch.Tensor, epoch: int) -> torch.Tensor:
        """`epoch` counts from 1."""
        return ldam(logits, label, self.margins, self.scale, self.weights if epoch > self.after_epoch else None)


def build(recipe: Recipe, counts: torch.Tensor) -> LDAMDeferred:
    return LDAMDeferred(counts, recipe.max_margin, recipe.scale, recipe.drw)
