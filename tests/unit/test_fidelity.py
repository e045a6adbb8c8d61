"""PSNR and SSIM against scikit-image."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from learnability.autoencoders.fidelity import added, convolved, psnr, ssim


def smooth(seed: int, side: int = 48) -> np.ndarray:
    """A colour image (side, side, 3) of slow waves, uint8."""
    y, x = np.mgrid[:side, :side] / side
    slopes = np.random.default_rng(seed).uniform(1, 6, (3, 2))
    waves = [np.sin(a * x + b * y) for a, b in slopes]
    return (127.5 + 120 * np.stack(waves, axis=-1)).round().astype(np.uint8)


def noisy(image: np.ndarray, seed: int, spread: float) -> np.ndarray:
    changed = image + np.random.default_rng(seed).normal(0, spread, image.shape)
    return changed.round().clip(0, 255).astype(np.uint8)


def scores(image: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    x, x_hat = (torch.from_numpy(array)[None].permute(0, 3, 1, 2) for array in (image, other))
    return psnr(x, x_hat).item(), ssim(x, x_hat).item()


def reference(image: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """scikit-image's, with the window of Wang et al. and the border it leaves out."""
    similarity = structural_similarity(
        image,
        other,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=2,
        data_range=255,
    )
    return peak_signal_noise_ratio(image, other, data_range=255), similarity


def assert_equal_to_reference(image: np.ndarray, other: np.ndarray) -> None:
    (got_psnr, got_ssim), (expected_psnr, expected_ssim) = scores(image, other), reference(image, other)
    assert got_psnr == pytest.approx(expected_psnr, abs=1e-9)
    assert got_ssim == pytest.approx(expected_ssim, abs=1e-4)


def test_unrelated_random_images_score_as_in_scikit_image():
    random = np.random.default_rng(0)
    image, other = random.integers(0, 256, (2, 40, 56, 3), dtype=np.uint8)
    assert_equal_to_reference(image, other)
    assert scores(image, other)[1] < 0.1


def test_smooth_images_with_noise_score_as_in_scikit_image():
    for seed, spread in enumerate((2, 10, 40)):
        assert_equal_to_reference(smooth(seed), noisy(smooth(seed), seed, spread))


def test_nearly_identical_images_score_as_in_scikit_image():
    image = smooth(1)
    other = image.copy()
    other[20, 20, 0] ^= 1
    assert_equal_to_reference(image, other)
    assert scores(image, other)[1] > 0.9999


def test_flat_bright_images_keep_their_digits():
    # In float32 the variance of a bright flat area is lost in the difference of two large numbers.
    image = np.full((32, 32, 3), 250, np.uint8)
    assert_equal_to_reference(image, np.full((32, 32, 3), 244, np.uint8))
    assert_equal_to_reference(image, noisy(image, 0, 1))


def test_a_dark_image_with_a_bright_half_scores_as_in_scikit_image():
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, 20:] = 255
    assert_equal_to_reference(image, noisy(image, 2, 3))


def test_identical_images_have_infinite_psnr_and_ssim_one():
    random = np.random.default_rng(1)
    images = random.integers(0, 256, (24, 24, 3)), np.full((24, 24, 3), 255), np.zeros((24, 24, 3)), smooth(3, 24)
    for image in images:
        assert scores(image.astype(np.uint8), image.astype(np.uint8)) == (np.inf, 1.0)


def test_psnr_of_a_known_error_is_the_one_computed_by_hand():
    image = np.full((16, 16, 3), 100, np.uint8)
    assert scores(image, image + 5)[0] == pytest.approx(20 * np.log10(255 / 5), abs=1e-12)


def test_each_image_of_a_batch_gets_its_own_score():
    pairs = [(smooth(seed), noisy(smooth(seed), seed, 3 + 9 * seed)) for seed in range(3)]
    x, x_hat = (torch.from_numpy(np.stack(side)).permute(0, 3, 1, 2) for side in zip(*pairs, strict=True))
    together = torch.stack([psnr(x, x_hat), ssim(x, x_hat)], dim=1).numpy()
    np.testing.assert_allclose(together, [scores(*pair) for pair in pairs], atol=1e-5)
    assert together.dtype == np.float64


@pytest.mark.parametrize("side", [11, 32, 100, 256])
def test_a_convolution_of_places_sums_as_shifted_images_do(side):
    random = torch.Generator().manual_seed(side)
    rows, window = torch.rand((2, side, side + 3, 3), generator=random) * 255, torch.rand(11, generator=random).double()
    summed = convolved(rows, window)
    assert summed.shape == (2, side - 10, side + 3, 3)
    torch.testing.assert_close(summed, added(rows, window), rtol=1e-6, atol=0)
    by_hand = (rows[0, 1:12, 2, 0].double() * window).sum() if side > 11 else (rows[0, :, 2, 0].double() * window).sum()
    assert summed[0, int(side > 11), 2, 0].item() == pytest.approx(by_hand.item(), rel=1e-5)
