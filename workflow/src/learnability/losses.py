"""LDAM with deferred re-weighting (Cao et al. 2019, arXiv 1906.07413), and distillation (Eq. 1 of the paper)."""

import torch
import torch.nn.functional as F

from .recipe import Distill, Recipe, Reweighting


def ldam_margins(counts: torch.Tensor, max_margin: float) -> torch.Tensor:
    """Margin of each class, C / n^(1/4), scaled so that the rarest class gets `max_margin`; (K,) -> (K,)."""
    margins = counts.clamp(min=1).double() ** -0.25
    return (margins * (max_margin / margins.max())).float()


def effective_number_weights(counts: torch.Tensor, beta: float) -> torch.Tensor:
    """Class weights (1 - beta) / (1 - beta^n), scaled to sum to K (Cui et al. 2019); (K,) -> (K,)."""
    weights = (1 - beta) / (1 - beta ** counts.clamp(min=1).double())
    return (weights * (len(counts) / weights.sum())).float()


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


class CrossEntropy:
    """Plain cross-entropy, the same in every epoch."""

    def __call__(self, logits: torch.Tensor, label: torch.Tensor, epoch: int) -> torch.Tensor:
        return F.cross_entropy(logits, label)


class Distillation:
    """hard_weight times the supervised loss plus (1 - hard_weight) times the distance of student and teacher (Eq. 1).

    Logits of a network that LDAM trained are 1/s of those of cross-entropy, so `teacher_scale` and `student_scale`
    bring both to one scale: MSE compares in the student's (Ba and Caruana 2014), KL at temperature T in that of
    cross-entropy, times T² (Hinton et al. 2015, arXiv 1503.02531). Between two LDAM networks MSE is that of the raw
    logits, as in the authors' code.
    """

    def __init__(self, supervised, distill: Distill, teacher_scale: float, student_scale: float):
        self.supervised, self.hard_weight, self.kind = supervised, distill.hard_weight, distill.loss
        self.temperature = distill.temperature
        self.teacher_scale, self.student_scale = teacher_scale, student_scale

    def __call__(self, logits: torch.Tensor, label: torch.Tensor, epoch: int, teacher: torch.Tensor) -> torch.Tensor:
        """`logits` and `teacher` (N, K) as the two networks give them; `epoch` counts from 1."""
        matching = self.match_probabilities if self.kind == "kl" else self.match_logits
        hard = self.supervised(logits, label, epoch)
        return self.hard_weight * hard + (1 - self.hard_weight) * matching(logits, teacher)

    def match_logits(self, logits: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        """Mean square difference over batch and classes."""
        return F.mse_loss(logits, teacher * (self.teacher_scale / self.student_scale))

    def match_probabilities(self, logits: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        """T² KL(teacher || student) of the softened probabilities, mean over the batch."""
        t = self.temperature
        student = F.log_softmax(logits * self.student_scale / t, dim=1)  # (N, K)
        target = F.log_softmax(teacher * self.teacher_scale / t, dim=1)  # (N, K)
        return t**2 * F.kl_div(student, target, reduction="batchmean", log_target=True)


def build_loss(recipe: Recipe, counts: torch.Tensor, teacher_scale: float = 1.0):
    """Return the loss of a recipe; `counts` (K,) are the class counts of the training rows, on the device.

    Call it with (logits, label, epoch), and with the teacher's logits where the recipe has a teacher.
    """
    if recipe.loss == "cross_entropy":
        supervised = CrossEntropy()
    else:
        supervised = LDAMDeferred(counts, recipe.max_margin, recipe.scale, recipe.drw)
    if not recipe.distill:
        return supervised
    return Distillation(supervised, recipe.distill, teacher_scale, recipe.logit_scale)
