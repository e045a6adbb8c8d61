"""The discriminator sees patches of 70 px, and its loss and weight follow their formulas."""

import pytest
import torch
from torch import nn

from learnability.autoencoders.finetuning.adversarial import (
    adaptive_weight,
    hinge_loss,
    patch_discriminator,
)
from learnability.autoencoders.finetuning.demands import SMALLEST_SIDE


@pytest.mark.parametrize(("channels", "side"), [(1, 64), (3, 64), (3, 100), (3, SMALLEST_SIDE)])
def test_there_is_one_logit_per_patch(channels, side):
    logits = patch_discriminator(channels)(torch.randn(2, channels, side, side))
    assert logits.shape == (2, 1, side // 8 - 2, side // 8 - 2)


def test_a_smaller_image_has_no_patch():
    with pytest.raises(RuntimeError):
        patch_discriminator(3)(torch.randn(2, 3, SMALLEST_SIDE - 1, SMALLEST_SIDE - 1))


def test_a_logit_depends_on_70_by_70_pixels():
    discriminator = patch_discriminator(3).eval()  # in training mode batch norm couples all pixels
    x = torch.randn(1, 3, 192, 192, requires_grad=True)
    (gradient,) = torch.autograd.grad(discriminator(x)[0, 0, 11, 11], x)
    rows, columns = torch.nonzero(gradient.abs().sum((0, 1)), as_tuple=True)
    assert int(rows.max() - rows.min()) + 1 == 70
    assert int(columns.max() - columns.min()) + 1 == 70


def test_its_layers_are_those_of_the_paper():
    network = patch_discriminator(3)
    convolutions = [layer for layer in network if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [64, 128, 256, 512, 1]
    assert [layer.stride[0] for layer in convolutions] == [2, 2, 2, 1, 1]
    assert {layer.kernel_size for layer in convolutions} == {(4, 4)}
    assert [layer.num_features for layer in network if isinstance(layer, nn.BatchNorm2d)] == [128, 256, 512]
    assert {layer.negative_slope for layer in network if isinstance(layer, nn.LeakyReLU)} == {0.2}
    assert convolutions[2].weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert sum(weight.numel() for weight in network.parameters()) == 2_765_633


def test_the_hinge_loss_by_hand():
    real, fake = torch.tensor([2.0, 0.5, -1.0]), torch.tensor([-3.0, 0.25])
    # (0 + 0.5 + 2) / 3 and (0 + 1.25) / 2
    assert hinge_loss(real, fake).item() == pytest.approx(0.5 * (2.5 / 3 + 1.25 / 2))


@pytest.mark.parametrize(
    ("reconstruction", "generator", "expected"),
    [
        ([3.0, 4.0], [0.3, 0.4], 0.5 * 5 / (0.5 + 1e-4)),
        ([0.0, 0.0], [1.0, 0.0], 0.0),
        ([3.0, 4.0], [0.0, 0.0], 0.5 * 1e4),  # 5 / 1e-4 is clipped
    ],
)
def test_the_adaptive_weight_by_hand(reconstruction, generator, expected):
    weight = adaptive_weight(torch.tensor(reconstruction), torch.tensor(generator), 0.5)
    assert weight.item() == pytest.approx(expected, rel=1e-6)
