"""What a training minimises, by the name that a recipe gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..recipe import Recipe
from ..registry import load

if TYPE_CHECKING:
    import torch


def build_loss(recipe: Recipe, counts: torch.Tensor, teacher_scale: float = 1.0):
    """Return the loss of a recipe; `counts` (K,) are the class counts of the training rows, on the device.

    Call it with (logits, label, epoch), and with the teacher's logits where the recipe has a teacher.
    """
    supervised = load("recipes.*.loss", recipe.loss).build(recipe, counts)
    if not recipe.distill:
        return supervised
    distillation = load("recipes.*", "distill")
    return distillation.Distillation(supervised, recipe.distill, teacher_scale, recipe.logit_scale)
