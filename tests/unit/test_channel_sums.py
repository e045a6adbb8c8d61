"""Moments of a fold's training rows from the sums that are stored beside latents, against NumPy's over the latents."""

import numpy as np
import pytest

from learnability.storage.channel_sums import channel_moments, channel_sums


def test_moments_are_those_of_the_given_rows_alone():
    latents = np.random.default_rng(2).normal(3, 2, (40, 4, 5, 5)).astype(np.float16)
    latents[:, 1] *= 100
    rows = np.arange(3, 40, 2)
    mean, std = channel_moments(channel_sums(latents), rows, cells=25)
    chosen = latents[rows].astype(np.float64)
    np.testing.assert_allclose(mean, chosen.mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(std, chosen.std(axis=(0, 2, 3)), rtol=1e-9)


def test_moments_of_grey_levels_are_exact():
    latents = np.random.default_rng(3).integers(0, 256, (30, 12, 4, 4)).astype(np.uint8)
    mean, std = channel_moments(channel_sums(latents), np.arange(30), cells=16)
    np.testing.assert_array_equal(mean, latents.mean(axis=(0, 2, 3)))
    np.testing.assert_allclose(std, latents.std(axis=(0, 2, 3)), rtol=1e-12)


@pytest.mark.parametrize("shape", [(16, 64, 64), (4, 13, 7), (3, 100, 100), (64, 2, 2), (8, 1, 1)])
@pytest.mark.parametrize("batch", [1, 7])
def test_moments_are_to_the_bit_those_of_sums_over_blocks(shape, batch):
    """The batches in which the rows were encoded do not matter, nor does the layout in which a network left them."""
    latents = np.random.default_rng(4).normal(3, 2, (300, *shape)).astype(np.float16)
    rows, total, square = np.arange(1, 300), 0, 0
    for block in (rows[:256], rows[256:]):
        z = latents[block].astype(np.float64)
        total, square = total + z.sum(axis=(0, 2, 3)), square + np.square(z).sum(axis=(0, 2, 3))
    mean = total / (len(rows) * shape[1] * shape[2])
    std = np.sqrt(square / (len(rows) * shape[1] * shape[2]) - mean**2)
    channels_last = np.ascontiguousarray(latents.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    sums = [channel_sums(channels_last[start : start + batch]) for start in range(0, 300, batch)]
    found = channel_moments(np.concatenate(sums), rows, shape[1] * shape[2])
    assert (found[0].tolist(), found[1].tolist()) == (mean.tolist(), std.tolist())
