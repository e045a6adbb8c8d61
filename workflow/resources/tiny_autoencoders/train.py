"""Tiny stand-ins for five autoencoder families, trained on generic synthetic images in minutes on one core.

They have the classes, latent channels and spatial factors of the published autoencoders, so the demo runs
through the same code, but none of their weights and none of their quality. Makes one again:

    python workflow/resources/tiny_autoencoders/train.py tiny_sd14 FOLDER
"""

import argparse
import math
import shutil
from pathlib import Path

import torch

BATCH, FULL_SIDE, CROP_SIDE = 16, 64, 32
LEARNING_RATE, KL_WEIGHT, PROGRESS_EVERY = 1.5e-3, 1e-6, 200

# name -> (diffusers class, widths from full resolution down, what else its config holds). Scale and shift are measured
# on 64 generic images (seed 7): they bring latents to the standard deviation of 1 that a diffusion model expects.
ARCHITECTURES = {
    "tiny_sd14": ("AutoencoderKL", (8, 16, 32, 32), {"latent_channels": 4, "scaling_factor": 0.6924}),
    "tiny_flux1": (
        "AutoencoderKL",
        (8, 16, 32, 32),
        {
            "latent_channels": 16,
            "scaling_factor": 1.6938,
            "shift_factor": -0.1471,
            "use_quant_conv": False,
            "use_post_quant_conv": False,
        },
    ),
    "tiny_flux2": ("AutoencoderKLFlux2", (8, 16, 32, 32), {"latent_channels": 32}),
    "tiny_medvae": ("AutoencoderKL", (8, 16, 32), {"latent_channels": 3, "scaling_factor": 0.7675}),
}


def build_tiny(name: str) -> torch.nn.Module:
    """An untrained stand-in; 3 channels in and out."""
    import diffusers

    if name not in ARCHITECTURES:
        raise ValueError(f"tiny autoencoder '{name}' is unknown; expected {', '.join(ARCHITECTURES)}")
    class_name, widths, extra = ARCHITECTURES[name]
    return getattr(diffusers, class_name)(
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        block_out_channels=widths,
        layers_per_block=1,
        norm_num_groups=1,  # more groups would erase brightness and colour in layers this narrow
        sample_size=FULL_SIDE,
        **extra,
    )


def generic_images(count: int, side: int, seed: int) -> torch.Tensor:
    """Images (N, 3, side, side) in [-1, 1]: fields, shapes, gradients, gratings, speckle; of no subject."""
    random = torch.Generator().manual_seed(seed)
    axis = torch.arange(side, dtype=torch.float32)
    y, x = axis[:, None].expand(1, side, side), axis[None, :].expand(1, side, side)
    image = _colours(count, random) + 0.25 * _fields(count, side, random) * _one(count, random, 0, 1.5)[:, None]
    slope = _waves(count, y, x, random, periods=(4 * side, 12 * side))
    image = image + (0.5 * slope * _one(count, random, 0, 1))[:, None]
    for _ in range(5):
        mask = _shapes(count, y, x, random) * _one(count, random, 0, 1.4).clamp(max=1)
        paint = _colours(count, random) + _texture(count, y, x, random)[:, None]
        image = image + mask[:, None] * (paint - image)
    speckle = 1 + 0.15 * _one(count, random, -2, 1).clamp(min=0) * _noise((count, side, side), random)
    stage = (1 - _shapes(count, y, x, random)) * (_one(count, random, 0, 1) < 0.15)
    image = (image + 1) * (speckle * (1 - stage))[:, None] - 1
    grey = (_one(count, random, 0, 1) < 0.35)[:, None]
    return torch.where(grey, image.mean(1, keepdim=True), image).clamp(-1, 1)


def _one(count: int, random: torch.Generator, low: float, high: float) -> torch.Tensor:
    """One uniform number per image (N, 1, 1)."""
    return low + (high - low) * torch.rand(count, 1, 1, generator=random)


def _noise(shape: tuple[int, ...], random: torch.Generator) -> torch.Tensor:
    """White noise, averaged over 3 x 3 pixels, of about unit variance."""
    white = torch.randn(shape, generator=random)
    return 2 * torch.nn.functional.avg_pool2d(white, 3, stride=1, padding=1)


def _colours(count: int, random: torch.Generator) -> torch.Tensor:
    """Colours (N, 3, 1, 1), closer to grey than uniform ones."""
    light = 1.8 * torch.rand(count, 1, 1, 1, generator=random) - 0.9
    return light + 0.35 * torch.randn(count, 3, 1, 1, generator=random)


def _fields(count: int, side: int, random: torch.Generator) -> torch.Tensor:
    """Random fields (N, 3, side, side) of power-law spectrum and unit variance, slightly coloured."""
    across, down = torch.fft.rfftfreq(side), torch.fft.fftfreq(side)
    frequency = (across[None, :] ** 2 + down[:, None] ** 2).sqrt().clamp(min=1 / side)
    spectrum = torch.fft.rfft2(torch.randn(count, 3, side, side, generator=random))
    shape = frequency ** -_one(count, random, 1.2, 2.5)
    field = torch.fft.irfft2(spectrum * shape[:, None], s=(side, side))
    field = field.mean(1, keepdim=True) + 0.3 * field
    return field / field.std(dim=(1, 2, 3), keepdim=True)


def _waves(count, y, x, random: torch.Generator, periods: tuple[float, float], turn=None) -> torch.Tensor:
    """Sine gratings (N, side, side) with a random direction unless given, phase, and period in pixels."""
    angle = _one(count, random, 0, math.pi) if turn is None else turn
    low, high = math.log(periods[0]), math.log(periods[1])
    period = torch.exp(_one(count, random, low, high))
    phase = _one(count, random, 0, 2 * math.pi)
    return torch.sin(2 * math.pi / period * (x * torch.cos(angle) + y * torch.sin(angle)) + phase)


def _texture(count, y, x, random: torch.Generator) -> torch.Tensor:
    """Patterns (N, side, side): a grating, two crossed, their product, or none."""
    angle = _one(count, random, 0, math.pi)
    first = _waves(count, y, x, random, (5, 18), angle)
    second = _waves(count, y, x, random, (5, 18), angle + math.pi / 2 + _one(count, random, -0.5, 0.5))
    kind = torch.randint(0, 4, (count, 1, 1), generator=random)
    pattern = torch.where(kind == 1, 0.5 * (first + second), torch.where(kind == 2, first * second, first))
    return pattern * _one(count, random, 0, 0.6) * (kind < 3)


def _shapes(count, y, x, random: torch.Generator) -> torch.Tensor:
    """Soft-edged ellipses and triangles (N, side, side) of random place, size and direction."""
    side = x.shape[-1]
    dy, dx = (axis - _one(count, random, 0, side) for axis in (y, x))
    angle, size = _one(count, random, 0, math.pi), FULL_SIDE * _one(count, random, 0.05, 0.45)
    across = (dx * torch.cos(angle) + dy * torch.sin(angle)) * _one(count, random, 0.6, 1.8)
    along = dy * torch.cos(angle) - dx * torch.sin(angle)
    ellipse = torch.hypot(across, along)
    triangle = torch.maximum(-along, (along + 1.73 * across.abs()) / 2) * 1.5
    distance = torch.where(_one(count, random, 0, 1) < 0.7, ellipse, triangle) - size
    return (0.5 - distance / _one(count, random, 1, 6)).clamp(0, 1)


def train_tiny(name: str, folder: str | Path, steps: int, seed: int) -> None:
    """Train a stand-in and save it as a diffusers folder, which appears whole or not at all."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build_tiny(name).train()
        _start_near_linear(model)
    _fit(model, name, steps, seed)
    folder = Path(folder)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    model.eval().save_pretrained(partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def _start_near_linear(model: torch.nn.Module) -> None:
    """Start as an almost linear map that keeps its input; the usual start learns brightness and never colour."""
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.zeros_(module.bias)
            if module.stride == (1, 1):
                middle = module.kernel_size[0] // 2
                centre = torch.nn.init.orthogonal_(torch.empty(module.out_channels, module.in_channels))
                module.weight.data.mul_(0.3)[:, :, middle, middle] += centre
            else:
                torch.nn.init.orthogonal_(module.weight)
    for name, weight in model.named_parameters():
        if name.endswith("conv2.weight"):  # the last convolution of a residual branch
            weight.data.mul_(0.2)
    # Unit noise on the latents would hide the signal, so their log-variance starts low.
    last = model.quant_conv if model.config.use_quant_conv else model.encoder.conv_out
    last.bias.data[model.config.latent_channels :] = -6


def _fit(model: torch.nn.Module, name: str, steps: int, seed: int) -> None:
    """Minimise squared and absolute error, fine and coarse, plus a slight KL term; prints its progress."""
    optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.95))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps, pct_start=0.1)
    random = torch.Generator().manual_seed(seed)
    for step in range(steps):
        # A quarter of the pixels costs a third of the time; the last tenth of the steps fits the full size.
        side = CROP_SIDE if step < 0.9 * steps else FULL_SIDE
        x = generic_images(BATCH, side, seed * 1_000_003 + step)
        posterior = model.encode(x).latent_dist
        error = model.decode(posterior.sample(generator=random)).sample - x
        coarse = torch.nn.functional.avg_pool2d(error, 8)  # else brightness and colour are learned last
        loss = error.square().mean() + 0.1 * error.abs().mean() + 2 * coarse.square().mean()
        loss = loss + KL_WEIGHT * posterior.kl().mean() / x[0].numel()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if (step + 1) % PROGRESS_EVERY == 0 or step + 1 == steps:
            psnr = -10 * math.log10(error.square().mean().item() / 4)
            print(f"{name} step {step + 1}/{steps} at {side} px: PSNR {psnr:.2f} dB", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=ARCHITECTURES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=2000)
    chosen = parser.parse_args()
    torch.set_num_threads(1)  # one and two threads give different bits
    train_tiny(chosen.name, chosen.folder, chosen.steps, seed=0)
