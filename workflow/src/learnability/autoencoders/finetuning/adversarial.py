"""The adversarial term of fine-tuning: a patch discriminator, its hinge loss, and the weight that balances it."""

import torch
import torch.nn.functional as F
from torch import nn

STABILITY, LARGEST_RATIO = 1e-4, 1e4  # of the adaptive weight


def patch_discriminator(channels: int, width: int = 64, layers: int = 3) -> nn.Sequential:
    """PatchGAN: x (N, C, H, W) -> one logit per overlapping patch of 70 px, (N, 1, H / 8 - 2, W / 8 - 2).

    C64-C128-C256-C512 and a last convolution (Isola et al. 2017, arXiv 1611.07004, appendix 6.1): all 4 x 4, the
    first `layers` with stride 2; batch norm except in the first, leaky ReLU; weights start as N(0, 0.02).
    """
    widths = [width * min(2**i, 8) for i in range(layers + 1)]
    stages: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, padding=1), nn.LeakyReLU(0.2)]
    for i in range(layers):
        stride = 2 if i + 1 < layers else 1
        # No bias, because the batch norm after it has one.
        stages.append(nn.Conv2d(widths[i], widths[i + 1], 4, stride, padding=1, bias=False))
        stages += [nn.BatchNorm2d(widths[i + 1]), nn.LeakyReLU(0.2)]
    network = nn.Sequential(*stages, nn.Conv2d(widths[-1], 1, 4, padding=1))
    for module in network:
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
    return network


def hinge_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """The discriminator's loss from logits: half of mean (1 - real)+ plus mean (1 + fake)+ (Lim and Ye 2017)."""
    return 0.5 * (F.relu(1 - real).mean() + F.relu(1 + fake).mean())


def adaptive_weight(reconstruction: torch.Tensor, generator: torch.Tensor, weight: float) -> torch.Tensor:
    """weight * clip(|reconstruction| / (|generator| + 1e-4), 0, 1e4) (Esser et al. 2021, arXiv 2012.09841, eq. 7).

    Both are gradients at the decoder's last layer: of the reconstruction loss, and of -mean D(x_hat).
    """
    ratio = torch.linalg.vector_norm(reconstruction) / (torch.linalg.vector_norm(generator) + STABILITY)
    return weight * ratio.clamp(0, LARGEST_RATIO)
