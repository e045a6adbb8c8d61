"""Classifier guidance (Dhariwal and Nichol 2021, arXiv 2105.05233) of a latent diffusion or flow pipeline.

The derivation. Let v = y + sigma n be noisy latents in the pipeline's units (levels.py says how each sampler's latents
become v). Their score and the best guess of the clean latents are tied by D(v) = v + sigma^2 grad_v log p(v). Bayes'
rule adds the classifier's gradient to the score, log p(v | c) = log p(v) + log p(c | v) + constant, so the guess for
class c is

    D(v | c) = D(v) + sigma^2 grad_v log p(c | v, sigma)

and `scale` times that shift sharpens p(c | v) to its scale-th power, as in the paper's section 4. In terms of the noise
that a network predicts, n = (v - D) / sigma, it is their Algorithm 2: with u = sqrt(a) v, sigma grad_v is
sqrt(1 - a) grad_u. A step from sigma to sigma' goes part of the way to D,

    v' = v + share (D - v), share = 1 - sigma' / sigma       without new noise (Euler, DDIM)
    E[v'] the same with share = 1 - (sigma' / sigma)^2       with new noise (DDPM, ancestral)

so `share` of D's shift reaches v'. The share of a pipeline's scheduler is measured, whatever its options (levels.py).
The shift is added to v before the step and not to v' after it, because a callback at the end of a step sees the latents
of the next step. The two are equal to first order in the step size; so is Algorithm 1, which shifts the mean of a DDPM
step by its variance times the gradient.
"""

import torch

from ..autoencoders.latent_units import pipeline_units, units_on_grid
from ..errors import InputError
from .conversion import tiled, to_raw
from .levels import level_after_step

TOLERANCE = 0.01  # relative; a smaller difference of units means the same weights in another precision


class Guidance:
    """A `callback_on_step_end` for a diffusers pipeline that steers its latents to a class.

    pipe(..., callback_on_step_end=Guidance(classifier, "melanoma", scale=2.0))

    `label` is a class, or a list with one for each image. `pipeline` is that of autoencoder.json; without it, pipe.vae
    gives the units. `grid` is the (rows, columns) of tokens that form no square. The first step is not guided: no
    callback precedes it, and it starts from pure noise.
    """

    def __init__(
        self,
        classifier: torch.nn.Module,
        label: str | list[str],
        scale: float = 1.0,
        pipeline: dict | None = None,
        grid: tuple[int, int] | None = None,
        eta: float = 0.0,
    ):
        check_conditioned(classifier)
        self.classifier, self.scale, self.pipeline, self.grid, self.eta = classifier, scale, pipeline, grid, eta
        self.label = class_indices(classifier, label)

    def __call__(self, pipe, step: int, timestep, callback_kwargs: dict) -> dict:
        level = level_after_step(pipe.scheduler, timestep, self.eta)
        if level.sigma in (0, float("inf")):  # after the last step, or while there is only noise
            return callback_kwargs
        latents = shifted(
            self.classifier,
            callback_kwargs["latents"],
            self.label,
            level.sigma,
            level.share,
            signal=level.signal,
            scale=self.scale,
            pipeline=self.pipeline or pipeline_units(pipe.vae),
            grid=self.grid,
        )
        return callback_kwargs | {"latents": latents}


def guided_step(
    classifier: torch.nn.Module,
    latents: torch.Tensor,
    label: torch.Tensor,
    sigma: float,
    next_sigma: float = 0.0,
    *,
    pipeline: dict,
    signal: float = 1.0,
    stochastic: bool = False,
    scale: float = 1.0,
    grid: tuple[int, int] | None = None,
) -> torch.Tensor:
    """Shift latents towards their class by the part of the guidance that the step from sigma to next_sigma passes on.

    latents: signal * (y + sigma n), in the pipeline's units, shape and layout (see to_raw); label: (N,) class indices,
    or (1,) for all. With next_sigma 0 the shift is that of the predicted clean latents, scale * sigma^2 * grad.
    """
    if not 0 < sigma < float("inf"):
        raise InputError(
            f"guidance at sigma {sigma}: expected a number above 0; leave pure noise and clean latents as they are"
        )
    if not 0 <= next_sigma <= sigma:
        raise InputError(f"next_sigma {next_sigma}: expected 0 to sigma, {sigma}; a step leads to less noise")
    ratio = next_sigma / sigma
    share = 1 - ratio**2 if stochastic else 1 - ratio
    return shifted(classifier, latents, label, sigma, share, pipeline=pipeline, signal=signal, scale=scale, grid=grid)


def shifted(
    classifier: torch.nn.Module,
    latents: torch.Tensor,
    label: torch.Tensor,
    sigma: float,
    share: float,
    *,
    pipeline: dict,
    signal: float,
    scale: float,
    grid: tuple[int, int] | None,
) -> torch.Tensor:
    """Move latents by `share` of scale * sigma^2 * grad, the shift of the denoised estimate (see guided_step)."""
    channels = classifier.mean.shape[1]
    check_noise_units(classifier, pipeline, channels)
    # A pipeline samples without gradients, but they are needed here.
    with torch.inference_mode(False), torch.enable_grad():
        v = (latents.detach().clone().float() / signal).requires_grad_()
        logits = classifier(to_raw(v, pipeline, channels, grid), sigma)
        likelihood = logits.float().log_softmax(dim=1).gather(1, label.to(logits.device).expand(len(logits))[:, None])
        (gradient,) = torch.autograd.grad(likelihood.sum(), v)  # only of v; the weights get no gradient
    return (latents.float() + signal * scale * share * sigma**2 * gradient).to(latents.dtype)


def class_indices(classifier: torch.nn.Module, label: str | list[str]) -> torch.Tensor:
    """Indices (n,) of class names; one name gives (1,)."""
    names = [label] if isinstance(label, str) else label
    unknown = [name for name in names if name not in classifier.classes]
    if unknown:
        raise InputError(f"class {unknown[0]!r} is not one of the classifier's; it has {classifier.classes}")
    return torch.tensor([classifier.classes.index(name) for name in names])


def check_conditioned(classifier: torch.nn.Module) -> None:
    """Refuse a classifier that has not seen noise, because its gradient at a noisy latent says nothing."""
    if classifier.levels is None:
        raise InputError(
            "this classifier was trained on clean latents alone, and guidance asks it about noisy ones; train a recipe "
            "with `noise: {...}` and `noise_space: autoencoder`"
        )


def check_noise_units(classifier: torch.nn.Module, pipeline: dict, channels: int) -> None:
    """Refuse a classifier trained on noise that is anisotropic in the pipeline's units, or of another autoencoder."""
    trained = (classifier.noise_unit * classifier.std).cpu().double()  # raw, per unit of sigma: (1, C, p, p)
    std = torch.from_numpy(units_on_grid(pipeline, channels)[1].copy())  # (C, a, a)
    expected = tiled(std, trained.shape[2:]) if trained.shape[2] >= std.shape[1] else std[None]
    ratio = trained / expected
    if bool(((ratio - 1).abs() < TOLERANCE).all()):
        return
    raise InputError(
        "the noise of this classifier's training is not that of the pipeline: per unit of sigma its standard deviation "
        f"in the pipeline's units is {ratio.min():.3g} to {ratio.max():.3g} over the channels, not 1. A pipeline "
        "adds noise of one size to all channels: train a recipe with `noise_space: autoencoder` on the latents of this "
        "pipeline's autoencoder (with `noise_space: normalised` the noise follows each channel's own spread)"
    )
