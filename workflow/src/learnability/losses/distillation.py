"""Distillation (Eq. 1 of the paper)."""

import torch
import torch.nn.functional as F

from ..recipe import Distill


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
