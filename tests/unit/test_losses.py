"""LDAM and its deferred re-weighting against numbers computed by hand."""

import numpy as np
import pytest
import torch

from learnability.losses import build_loss, effective_number_weights, ldam, ldam_margins

COUNTS = torch.tensor([53000, 10000, 1000, 100, 7])
RECIPE = {
    "loss": "ldam_drw",
    "max_margin": 0.5,
    "scale": 30,
    "drw": {"after_epoch": 10, "lr_factor": 0.1, "reset_patience": True, "beta": 0.9999},
    "distill": None,
}
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


def test_a_class_without_training_rows_counts_as_one_row():
    counts = torch.tensor([100, 0])
    one = torch.tensor([100, 1])
    assert torch.equal(ldam_margins(counts, 0.5), ldam_margins(one, 0.5))
    assert torch.equal(effective_number_weights(counts, 0.9999), effective_number_weights(one, 0.9999))
    assert torch.isfinite(effective_number_weights(counts, 0.9999)).all()


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
    loss = build_loss(RECIPE, counts)
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
    loss = build_loss({"loss": "cross_entropy", "drw": None, "distill": None}, torch.tensor([500, 60, 4]))
    expected = loss_by_hand(np.zeros(3), np.ones(3), 1)
    assert [loss(LOGITS, LABEL, epoch).item() for epoch in (1, 60)] == pytest.approx([expected] * 2, rel=1e-5)
