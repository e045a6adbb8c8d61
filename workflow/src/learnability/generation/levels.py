"""The noise level of a sampler's latents after a step, and what its next step makes of a change of the denoised.

All are written in one form. With clean pipeline latents y and noise n of variance one, a sampler's latents are
u = signal * (y + sigma * n); v = u / signal is what a classifier knows, and of noise sigma. With v and the denoised
estimate D, a step is v' = (1 - share) v + share D, plus new noise or not.

Neither is computed from what a scheduler is called or set to: a copy of it is asked. What it makes of clean latents and
of noise gives signal and sigma; steps with and without a change of D give the share.
"""

import copy
import inspect
import math
from dataclasses import dataclass

import torch

from ..errors import InputError

# Schedulers that take a step back (Heun, PNDM) or correct the one before (UniPC) overwrite what a callback has changed.
FOLLOWED = (
    "DDIMScheduler",
    "DDPMScheduler",
    "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler",
    "EDMEulerScheduler",
    "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler",
    "FlowMatchEulerDiscreteScheduler",
)
MEMORY = ("model_outputs", "timestep_list")  # what multistep solvers remember of the steps before, oldest first
PROBE = 100.0  # far from 0, so that what cuts the denoised (clip_sample, thresholding) shows
TOLERANCE = 1e-3  # relative, of a response in float32


@dataclass
class Level:
    """Where latents are after a step: `sigma` and `signal` of their form, and the `share` of the step that follows."""

    sigma: float
    signal: float
    share: float


def level_after_step(scheduler, timestep, eta: float = 0.0) -> Level:
    """The level of the latents that `scheduler.step` has just returned for `timestep`; sigma 0 after the last step.

    `eta` is what the pipeline gives to the steps that take it (DDIM). Raises InputError for a scheduler that guidance
    cannot follow, as it is set.
    """
    name = type(scheduler).__name__
    if name not in FOLLOWED:
        raise InputError(
            f"guidance cannot follow {name}; use one of {', '.join(FOLLOWED)}, or call guided_step in a sampler of "
            "your own"
        )
    index = getattr(scheduler, "step_index", None)
    if index is None:  # by position, because image to image begins late
        index = int((scheduler.timesteps == timestep).nonzero()[0]) + 1
    if index >= len(scheduler.timesteps):
        return Level(0.0, 1.0, 0.0)
    signal, spread = noised(scheduler, index)
    if signal <= 0:
        return Level(math.inf, 0.0, 0.0)
    return Level(spread / signal, signal, share_of_step(scheduler, index, eta))


def copy_before(scheduler, index: int):
    """A copy on the CPU that makes step `index` next and remembers none before it."""
    copied = copy.copy(scheduler)
    for name, value in vars(scheduler).items():
        if isinstance(value, torch.Tensor):
            setattr(copied, name, value.cpu())  # timesteps, and what img2img has moved to the latents' device
    for name in MEMORY:
        if hasattr(copied, name):
            setattr(copied, name, [None] * len(getattr(copied, name)))
    if hasattr(copied, "lower_order_nums"):
        copied.lower_order_nums = 0
    if hasattr(copied, "step_index"):
        copied._step_index = copied._begin_index = index  # which its step and its noise go by
    return copied


def noised(scheduler, index: int) -> tuple[float, float]:
    """What the scheduler multiplies clean latents and noise by at the level that step `index` takes its latents for."""
    copied = copy_before(scheduler, index)
    timestep = copied.timesteps[index].reshape(1)
    one, zero = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    if hasattr(copied, "scale_noise"):
        return float(copied.scale_noise(one, timestep, zero)), float(copied.scale_noise(zero, timestep, one))
    return float(copied.add_noise(one, zero, timestep)), float(copied.add_noise(zero, one, timestep))


def share_of_step(scheduler, index: int, eta: float) -> float:
    """How much of a change of the denoised estimate a step passes on, both in units of v.

    Solvers of several steps see the change in the steps that they remember too: guidance is there at every one. Latents
    that are as clean as their estimate say of what size the step makes them.
    """
    name = type(scheduler).__name__
    still = stepped(scheduler, index, eta, 0.0, 0.0)
    moved, twice = (stepped(scheduler, index, eta, 0.0, size * PROBE) - still for size in (1, 2))
    clean = stepped(scheduler, index, eta, PROBE, PROBE) - still
    if not math.isclose(twice, 2 * moved, rel_tol=TOLERANCE, abs_tol=TOLERANCE * abs(clean)):
        raise InputError(
            f"guidance cannot follow {name} as it is set: it cuts the denoised estimate, which guidance changes; set "
            "clip_sample and thresholding to False"
        )
    if not (clean > 0 and moved > -TOLERANCE * clean):  # not so of NaN either
        raise InputError(
            f"guidance cannot follow {name} as it is set: its steps do not lead from more noise to less; set "
            "invert_sigmas to False, or call guided_step in a sampler of your own"
        )
    return moved / clean


def stepped(scheduler, index: int, eta: float, v: float, denoised: float) -> float:
    """What step `index` makes of latents v where the network denoises them, and those before, to `denoised`."""
    remembered = min(getattr(scheduler, "lower_order_nums", 0), len(getattr(scheduler, "model_outputs", [0])) - 1)
    copied = copy_before(scheduler, index - remembered)
    options = {"eta": eta} if "eta" in inspect.signature(copied.step).parameters else {}
    with torch.random.fork_rng(devices=[]):  # the pipeline's own random numbers are left as they are
        for i in range(index - remembered, index + 1):
            signal, spread = noised(scheduler, i)
            torch.default_generator.manual_seed(0)  # the same new noise in all these steps; a GPU's goes on
            sample = torch.full((1, 1, 1, 1), signal * v, dtype=torch.float64)
            output = torch.zeros(1, channels_of(scheduler), 1, 1, dtype=torch.float64)
            output[:, 0] = predicted(scheduler, spread / signal if signal > 0 else math.inf, signal, v, denoised)
            after = copied.step(output, copied.timesteps[i], sample, **options).prev_sample
    return float(after[0, 0])


def channels_of(scheduler) -> int:
    """Channels of a network's output for latents of one: where it learns the variance, that comes after."""
    return 2 if str(getattr(scheduler.config, "variance_type", None)).startswith("learned") else 1


def predicted(scheduler, sigma: float, signal: float, v: float, denoised: float) -> float:
    """The output of a network that denoises latents v of noise sigma to `denoised`, as the scheduler reads it."""
    noise = (v - denoised) / sigma
    if hasattr(scheduler, "precondition_outputs"):  # EDM's
        skip, out = (scheduler.precondition_outputs(*ends, sigma) for ends in ((1.0, 0.0), (0.0, 1.0)))
        return (denoised - skip * v) / out
    kind = getattr(scheduler.config, "prediction_type", "flow_prediction")  # which flow's own scheduler does not say
    size = math.hypot(1, sigma)
    fits = {"v_prediction": (1.0, 1 / size), "flow_prediction": (1 / (1 + sigma),)}.get(kind, (signal,))
    if not any(math.isclose(signal, expected, rel_tol=TOLERANCE) for expected in fits):
        raise InputError(
            f"guidance cannot follow {type(scheduler).__name__} as it is set: prediction_type {kind} is of another "
            "kind of noise than the scheduler's own; see use_flow_sigmas"
        )
    if kind == "epsilon":
        return noise
    if kind in ("sample", "original_sample"):
        return denoised
    if kind == "flow_prediction":
        return noise - denoised
    if kind == "v_prediction":
        return noise / size - denoised * (sigma / size if sigma < math.inf else 1.0)
    raise InputError(f"guidance cannot follow {type(scheduler).__name__} with prediction_type {kind}")
