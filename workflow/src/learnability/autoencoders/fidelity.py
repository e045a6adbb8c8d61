"""PSNR and SSIM of reconstructions, per image, on 8-bit values (docs/protocol.md)."""

import torch

DATA_RANGE = 255.0


def psnr(x: torch.Tensor, x_hat: torch.Tensor) -> torch.Tensor:
    """Peak signal-to-noise ratio in dB of each image; (N, C, H, W) in 0..255 -> (N,); identical images give inf."""
    error = (x.double() - x_hat.double()).square().mean(dim=(1, 2, 3))
    return 10 * torch.log10(DATA_RANGE**2 / error)


def ssim(x: torch.Tensor, x_hat: torch.Tensor) -> torch.Tensor:
    """Structural similarity of each image; (N, C, H, W) in 0..255 -> (N,).

    Wang et al. 2004: Gaussian window 11 x 11 with standard deviation 1.5, K1 0.01, K2 0.03, biased covariance,
    mean over channels and over the positions where the window fits. Images need at least 11 x 11 pixels.
    """
    x, x_hat = x.float(), x_hat.float()
    mu, mu_hat = blur(x), blur(x_hat)
    # Variances are differences of numbers near 255^2; shifting by the means keeps their digits in float32.
    centre = (x.mean(dim=(2, 3), keepdim=True) + x_hat.mean(dim=(2, 3), keepdim=True)) / 2
    a, b = x - centre, x_hat - centre
    variance = blur(a * a) - (mu - centre) ** 2
    variance_hat = blur(b * b) - (mu_hat - centre) ** 2
    covariance = blur(a * b) - (mu - centre) * (mu_hat - centre)
    c1, c2 = (0.01 * DATA_RANGE) ** 2, (0.03 * DATA_RANGE) ** 2
    luminance = (2 * mu * mu_hat + c1) / (mu**2 + mu_hat**2 + c1)
    structure = (2 * covariance + c2) / (variance + variance_hat + c2)
    return (luminance * structure).double().mean(dim=(1, 2, 3))


def blur(x: torch.Tensor) -> torch.Tensor:
    """Gaussian window of each channel, separable, without padding: (N, C, H, W) -> (N, C, H - 10, W - 10).

    Adds shifted images. A convolution of single channels is several times slower on a CPU, and on a GPU keeps only ten
    bits of each grey level by default.
    """
    offset = torch.arange(-5, 6, dtype=torch.float64)
    window = torch.exp(-(offset**2) / (2 * 1.5**2))
    first, *weights = (window / window.sum()).tolist()
    for axis in (2, 3):
        length = x.shape[axis] - len(weights)
        blurred = x.narrow(axis, 0, length) * first
        for shift, weight in enumerate(weights, start=1):
            blurred.add_(x.narrow(axis, shift, length), alpha=weight)
        x = blurred
    return x
