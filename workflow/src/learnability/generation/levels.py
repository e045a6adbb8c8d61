"""The noise level of a sampler's latents after a step, for every kind of diffusers scheduler that guidance knows.

All are written in one form. With clean pipeline latents y and noise n of variance one, a sampler's latents are
u = signal * (y + sigma * n); u / signal is what a classifier knows, and of noise sigma.
    ve    u = y + sigma n                                     signal 1
    vp    u = sqrt(a) y + sqrt(1 - a) n, a = alphas_cumprod   sigma = sqrt(1 - a) / sqrt(a), signal = sqrt(a)
    flow  u = (1 - t) y + t n                                 sigma = t / (1 - t), signal = 1 - t
"""

import math
from dataclasses import dataclass

from ..errors import InputError

# Kind of the schedule, and whether a step adds noise anew (which goes further towards the denoised: guidance.py).
# Schedulers that take a step back (Heun, PNDM) or correct the one before (UniPC) overwrite what a callback has changed.
SCHEDULERS = {
    "DDIMScheduler": ("vp", False),
    "DDPMScheduler": ("vp", True),
    "DEISMultistepScheduler": ("vp sigmas", False),
    "DPMSolverMultistepScheduler": ("vp sigmas", False),
    "EDMEulerScheduler": ("ve", False),
    "EulerDiscreteScheduler": ("ve", False),
    "EulerAncestralDiscreteScheduler": ("ve", True),
    "FlowMatchEulerDiscreteScheduler": ("flow", False),
}


@dataclass
class Level:
    """Where latents are after a step: `sigma` and `signal` of their form, and the sigma that the next step leads to."""

    sigma: float
    signal: float
    next_sigma: float
    stochastic: bool


def level_after_step(scheduler, timestep) -> Level:
    """The level of the latents that `scheduler.step` has just returned for `timestep`; sigma 0 after the last step."""
    name = type(scheduler).__name__
    if name not in SCHEDULERS:
        raise InputError(
            f"guidance cannot follow {name}; use one of {', '.join(SCHEDULERS)}, or call guided_step in a sampler of "
            "your own"
        )
    kind, stochastic = SCHEDULERS[name]
    if getattr(scheduler.config, "use_flow_sigmas", False):
        kind = "flow"
    stochastic = stochastic or getattr(scheduler.config, "algorithm_type", "").startswith("sde")
    if kind == "vp":
        # The level for which the next step takes its latents; by position, because image to image begins late.
        index = int((scheduler.timesteps == timestep).nonzero()[0]) + 1
        alphas = [float(scheduler.alphas_cumprod[int(t)]) for t in scheduler.timesteps[index : index + 2]]
        sigmas = [math.sqrt((1 - alpha) / alpha) for alpha in alphas]
    else:
        done = scheduler.step_index >= len(scheduler.timesteps)
        sigmas = [] if done else [float(sigma) for sigma in scheduler.sigmas[scheduler.step_index :][:2]]
        if kind == "flow":
            sigmas = [sigma / (1 - sigma) if sigma < 1 else math.inf for sigma in sigmas]  # t to sigma
    sigma, next_sigma = [*sigmas, 0.0, 0.0][:2]
    signal = {"ve": 1.0, "flow": 1 / (1 + sigma)}.get(kind, 1 / math.sqrt(1 + sigma**2))
    return Level(sigma, signal, next_sigma, stochastic)
