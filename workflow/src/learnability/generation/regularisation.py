"""A classifier's loss on noisy latents, as a term in training a generator."""

import math

import torch
import torch.nn.functional as F

from ..errors import InputError


def noisy_latent_loss(
    classifier: torch.nn.Module, z: torch.Tensor, label: torch.Tensor, sigma: torch.Tensor | float | None = None
) -> torch.Tensor:
    """Mean cross-entropy of a noise-conditioned classifier on raw latents z (N, C, h, w) with added noise.

    label: (N,) class indices. sigma: one level, or (N,); None draws a level for each sample as in the classifier's
    training, from torch's global generator. The noise is in the classifier's own units (`noise_space` of its recipe).
    Gradients flow to z, and so into the generator; the classifier's weights get no gradient.
    """
    if classifier.levels is None:
        raise InputError(
            "this classifier was trained on clean latents alone; for a loss on noisy ones train a recipe with `noise`"
        )
    if classifier.training:
        raise InputError("the classifier is in training mode; call classifier.eval(), and keep it out of the generator")
    sigma = classifier.levels.sample(len(z), z.device) if sigma is None else torch.as_tensor(sigma, device=z.device)
    if not bool(((sigma >= 0) & (sigma < math.inf)).all()):
        raise InputError(f"sigma {sigma.tolist()}: expected numbers of at least 0")
    sigma = sigma.expand(len(z)).to(z.dtype)  # (N,)
    unit = classifier.noise_unit * classifier.std  # raw, per unit of sigma
    noisy = z + sigma.view(-1, 1, 1, 1) * unit * torch.randn_like(z)  # (N, C, h, w)
    frozen = {name: parameter.detach() for name, parameter in classifier.named_parameters()}
    logits = torch.func.functional_call(classifier, frozen, (noisy, sigma))
    return F.cross_entropy(logits.float(), label)
