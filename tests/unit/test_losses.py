"""LDAM, its deferred re-weighting and distillation against numbers computed by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from learnability.training.losses import build_loss
from learnability.training.losses.ldam_drw import effective_number_weights, ldam, ldam_margins
from tests.recipes import DISTILL, IMAGE, recipe_of

COUNTS = torch.tensor([53000, 10000, 1000, 100, 7])
RECIPE = IMAGE | {"drw": {"after_epoch": 10, "lr_factor": 0.1, "reset_patience": True, "beta": 0.9999}}
PLAIN = RECIPE | {"loss": "cross_entropy"}
LOGITS = torch.tensor([[0.9, -0.2, 0.1], [0.3, 0.4, -0.6], [-0.5, 0.2, 0.25], [0.0, 0.7, -0.1]])
LABEL = torch.tensor([0, 0, 2, 1])


def loss_by_hand(margins: np.ndarray, weights: np.ndarray, scale: float) -> float:
    """Sum of w_y times cross-entropy of scale * (z - margin of y), over the sum of w_y; plain NumPy."""
    total, mass = 0.0, 0.0
    for z, y in zip(LOGITS.numpy().astype(float), LABEL.tolist(), strict=True):
        z = z.copy()
        z[y] -= margins[y]
        z *= scale
        total += weights[y] * (np.log(np.exp(z - z.max()).sum()) + z.max() - z[y])
        mass += weights[y]
    return total / mass


def test_margins_are_those_worked_out_by_hand():
    margins = ldam_margins(COUNTS, max_margin=0.5)
    np.testing.assert_allclose(margins, [0.054, 0.081, 0.145, 0.257, 0.5], atol=5e-4)
    np.testing.assert_allclose(margins, 0.5 * (7 / COUNTS.numpy()) ** 0.25, rtol=1e-6)


def test_weights_are_those_worked_out_by_hand():
    weights = effective_number_weights(COUNTS, beta=0.9999)
    np.testing.assert_allclose(weights, [0.003, 0.005, 0.034, 0.326, 4.63], atol=5e-3)
    np.testing.assert_allclose(weights[:4], [0.003, 0.005, 0.034, 0.326], atol=6e-4)
    assert weights.sum().item() == pytest.approx(5)


def test_equal_classes_get_equal_margins_and_weights_of_one():
    counts = torch.tensor([40, 40, 40])
    np.testing.assert_allclose(ldam_margins(counts, 0.3), [0.3, 0.3, 0.3], rtol=1e-6)
    np.testing.assert_allclose(effective_number_weights(counts, 0.999), [1, 1, 1], rtol=1e-6)


def test_a_class_without_training_rows_leaves_the_margins_and_weights_of_the_others_as_they_are():
    counts, others = torch.tensor([1000, 100, 0]), torch.tensor([1000, 100])
    margins, weights = ldam_margins(counts, 0.5), effective_number_weights(counts, 0.9999)
    np.testing.assert_allclose(margins, [0.5 * 0.1**0.25, 0.5, 0], rtol=1e-6)  # 0.281 and 0.5
    effective = [(1 - 0.9999) / (1 - 0.9999**n) for n in (1000, 100)]
    np.testing.assert_allclose(weights, [2 * w / sum(effective) for w in effective] + [0], rtol=1e-5)
    for place in range(3):  # wherever it is among the classes
        order = [0, 1]
        order.insert(place, 2)
        assert torch.equal(ldam_margins(counts[order], 0.5), margins[order])
        assert torch.equal(effective_number_weights(counts[order], 0.9999), weights[order])
    assert torch.equal(margins[:2], ldam_margins(others, 0.5))
    assert torch.equal(weights[:2], effective_number_weights(others, 0.9999))


@pytest.mark.parametrize("recipe", [RECIPE, PLAIN], ids=["ldam", "plain"])
@pytest.mark.parametrize("epoch", [1, 11])
def test_an_absent_class_leaves_the_loss_finite_and_is_still_driven_down(recipe, epoch):
    logits = LOGITS.clone().requires_grad_()
    value = build_loss(recipe_of(recipe), torch.tensor([500, 0, 4]))(logits, torch.tensor([0, 0, 2, 2]), epoch)
    (gradient,) = torch.autograd.grad(value, logits)
    assert torch.isfinite(value)
    assert (gradient[:, 1] > 0).all()


def test_unweighted_loss_of_a_small_batch_equals_the_one_computed_by_hand():
    margins = np.array([0.1, 0.25, 0.5])
    got = ldam(LOGITS, LABEL, torch.from_numpy(margins).float(), 30, None)
    assert got.item() == pytest.approx(loss_by_hand(margins, np.ones(3), 30), rel=1e-5)


def test_weighted_loss_is_a_mean_that_divides_by_the_weights_of_the_batch():
    margins, weights = np.array([0.1, 0.25, 0.5]), np.array([0.2, 0.8, 2.0])
    arguments = (torch.from_numpy(array).float() for array in (margins, weights))
    got = ldam(LOGITS, LABEL, next(arguments), 30, next(arguments))
    assert got.item() == pytest.approx(loss_by_hand(margins, weights, 30), rel=1e-5)
    assert got.item() != pytest.approx(loss_by_hand(margins, np.ones(3), 30), rel=1e-2)


def test_weights_come_in_after_epoch_ten_and_not_in_it():
    counts = torch.tensor([500, 60, 4])
    loss = build_loss(recipe_of(RECIPE), counts)
    margins = ldam_margins(counts, 0.5).numpy().astype(float)
    weights = effective_number_weights(counts, 0.9999).numpy().astype(float)
    plain, weighted = loss_by_hand(margins, np.ones(3), 30), loss_by_hand(margins, weights, 30)
    assert abs(plain - weighted) > 0.1
    assert [loss(LOGITS, LABEL, epoch).item() for epoch in (1, 10)] == pytest.approx([plain] * 2, rel=1e-5)
    assert [loss(LOGITS, LABEL, epoch).item() for epoch in (11, 60)] == pytest.approx([weighted] * 2, rel=1e-5)


def test_the_margin_makes_the_true_class_harder_and_leaves_the_others_alone():
    free, bound = torch.zeros(3), torch.tensor([0.0, 0.0, 0.5])
    losses = [ldam(LOGITS[[i]], LABEL[[i]], margins, 30, None) for i in (0, 2) for margins in (free, bound)]
    assert losses[0] == losses[1]  # a row of class 0, whose margin is zero in both
    assert losses[3] > losses[2]


def test_cross_entropy_is_plain_in_every_epoch():
    loss = build_loss(recipe_of(PLAIN), torch.tensor([500, 60, 4]))
    expected = loss_by_hand(np.zeros(3), np.ones(3), 1)
    assert [loss(LOGITS, LABEL, epoch).item() for epoch in (1, 60)] == pytest.approx([expected] * 2, rel=1e-5)


TEACHER = torch.tensor([[1.2, -0.4, 0.0], [0.1, 0.9, -0.3], [-0.2, 0.1, 0.6], [0.4, 0.3, -0.8]])
COUNTS_OF_THREE = torch.tensor([500, 60, 4])


def distilling(recipe: dict = RECIPE, teacher_scale: float = 30.0, **changes):
    """The loss of a student, by default between two LDAM networks."""
    distill = DISTILL | {"hard_weight": 0.3} | changes
    return build_loss(recipe_of(recipe, distill=distill), COUNTS_OF_THREE, teacher_scale)


def softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def kl_by_hand(teacher: np.ndarray, student: np.ndarray, temperature: float) -> float:
    """T² times the mean over rows of sum p log(p / q)."""
    p, q = softmax(teacher / temperature), softmax(student / temperature)
    return temperature**2 * float((p * np.log(p / q)).sum(axis=1).mean())


def arrays() -> tuple[np.ndarray, np.ndarray]:
    return TEACHER.numpy().astype(float), LOGITS.numpy().astype(float)


def test_equation_1_is_alpha_times_ldam_plus_the_rest_times_mse_of_the_raw_logits():
    margins = ldam_margins(COUNTS_OF_THREE, 0.5).numpy().astype(float)
    weights = effective_number_weights(COUNTS_OF_THREE, 0.9999).numpy().astype(float)
    teacher, student = arrays()
    mse = np.square(student - teacher).mean()  # over rows and classes
    loss = distilling()
    for epoch, of_class in ((10, np.ones(3)), (11, weights)):  # LDAM keeps its deferred switch
        expected = 0.3 * loss_by_hand(margins, of_class, 30) + 0.7 * mse
        assert loss(LOGITS, LABEL, epoch, TEACHER).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("temperature", [1, 2, 5.5])
def test_kl_is_of_the_softened_probabilities_times_the_square_of_the_temperature(temperature):
    loss = distilling(PLAIN, teacher_scale=1.0, loss="kl", temperature=temperature, hard_weight=0.25)
    expected = 0.25 * loss_by_hand(np.zeros(3), np.ones(3), 1) + 0.75 * kl_by_hand(*arrays(), temperature)
    assert loss(LOGITS, LABEL, 1, TEACHER).item() == pytest.approx(expected, rel=1e-5)
    p = torch.softmax(TEACHER / temperature, 1)
    official = F.kl_div(torch.log_softmax(LOGITS / temperature, 1), p, reduction="batchmean") * temperature**2
    soft = distilling(PLAIN, teacher_scale=1.0, loss="kl", temperature=temperature, hard_weight=0)
    assert soft(LOGITS, LABEL, 1, TEACHER).item() == pytest.approx(official.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("student", "teacher_scale", "factor"),
    [(RECIPE, 30.0, 1), (PLAIN, 1.0, 1), (PLAIN, 30.0, 30), (RECIPE, 1.0, 1 / 30)],
    ids=["ldam to ldam", "plain to plain", "ldam to plain", "plain to ldam"],
)
def test_logits_are_matched_at_the_scale_of_the_student(student, teacher_scale, factor):
    loss = distilling(student, teacher_scale, hard_weight=0)
    teacher, logits = arrays()
    expected = np.square(logits - factor * teacher).mean()
    assert loss(LOGITS, LABEL, 1, TEACHER).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("student", "own"), [(RECIPE, 30), (PLAIN, 1)], ids=["ldam", "plain"])
@pytest.mark.parametrize("teacher_scale", [30.0, 1.0])
def test_probabilities_are_those_of_cross_entropy_for_either_loss(student, own, teacher_scale):
    loss = distilling(student, teacher_scale, hard_weight=0, loss="kl", temperature=4)
    teacher, logits = arrays()
    expected = kl_by_hand(teacher_scale * teacher, own * logits, 4)
    assert loss(LOGITS, LABEL, 1, TEACHER).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("kind", ["mse", "kl"])
@pytest.mark.parametrize(("student", "scale"), [(RECIPE, 30.0), (PLAIN, 1.0)], ids=["ldam", "plain"])
def test_a_student_that_equals_its_teacher_learns_nothing_more_from_it(kind, student, scale):
    logits = TEACHER.clone().requires_grad_()
    value = distilling(student, scale, hard_weight=0, loss=kind)(logits, LABEL, 1, TEACHER)
    (gradient,) = torch.autograd.grad(value, logits)
    assert value.item() == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(gradient, 0, atol=1e-6)
    other = LOGITS.clone().requires_grad_()
    value = distilling(student, scale, hard_weight=0, loss=kind)(other, LABEL, 1, TEACHER)
    assert torch.autograd.grad(value, other)[0].abs().max() > 1e-2


@pytest.mark.parametrize("kind", ["mse", "kl"])
@pytest.mark.parametrize("recipe", [RECIPE, PLAIN], ids=["ldam", "plain"])
def test_a_hard_weight_of_one_is_the_supervised_loss(kind, recipe):
    supervised = build_loss(recipe_of(recipe), COUNTS_OF_THREE)
    for epoch in (1, 11):
        loss = distilling(recipe, hard_weight=1, loss=kind)
        assert loss(LOGITS, LABEL, epoch, TEACHER).item() == pytest.approx(supervised(LOGITS, LABEL, epoch).item())
