"""The noise level of a sampler's latents after a step, and the effect of a changed denoised estimate on the next step.

All samplers are written in one form. With clean pipeline latents y and noise n of variance one, a sampler's latents are
u = signal * (y + sigma * n); a classifier sees v = u / signal, with noise sigma. With v and the denoised
estimate D, a step is v' = (1 - share) v + share D, with or without new noise.

None of these is derived from a scheduler's name or settings: a copy of the scheduler is run. Its output for clean
latents and for noise gives signal and sigma; steps with and without a change of D give the share.
"""

import copy
import inspect
import math
from dataclasses import dataclass

import torch

from ..errors import InputError

# Schedulers that go back a step (Heun, PNDM) or correct the last one (UniPC) overwrite the changes of a callback.
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
MEMORY = ("model_outputs", "timestep_list")  # what multistep solvers remember of earlier steps, oldest first
PROBE = 100.0  # far from 0, so that clipping of the denoised estimate (clip_sample, thresholding) shows
TOLERANCE = 1e-3  # relative, of a response in float32


@dataclass
class Level:
    """The state of latents after a step: their `sigma` and `signal`, and the `share` of the next step."""

    sigma: float
    signal: float
    share: float


def level_after_step(scheduler, timestep, eta: float = 0.0) -> Level:
    """The level of the latents that `scheduler.step` has just returned for `timestep`; sigma 0 after the last step.

    `eta` is the pipeline's value for schedulers that take it (DDIM). Raises InputError for a scheduler that guidance
    cannot follow with its settings.
    """
    name = type(scheduler).__name__
    if name not in FOLLOWED:
        raise InputError(
            f"guidance cannot follow {name}; use one of {', '.join(FOLLOWED)}, or call guided_step in a sampler of "
            "your own"
        )
    index = getattr(scheduler, "step_index", None)
    if index is None:  # by position, because image-to-image pipelines begin late
        index = int((scheduler.timesteps == timestep).nonzero()[0]) + 1
    if index >= len(scheduler.timesteps):
        return Level(0.0, 1.0, 0.0)
    signal, spread = noised(scheduler, index)
    if signal <= 0:
        return Level(math.inf, 0.0, 0.0)
    return Level(spread / signal, signal, share_of_step(scheduler, index, eta))


def copy_before(scheduler, index: int):
    """A copy on the CPU whose next step is `index` and which remembers no earlier step."""
    copied = copy.copy(scheduler)
    for name, value in vars(scheduler).items():
        if isinstance(value, torch.Tensor):
            setattr(copied, name, value.cpu())  # timesteps, and tensors that img2img moved to the latents' device
    for name in MEMORY:
        if hasattr(copied, name):
            setattr(copied, name, [None] * len(getattr(copied, name)))
    if hasattr(copied, "lower_order_nums"):
        copied.lower_order_nums = 0
    if hasattr(copied, "step_index"):
        copied._step_index = copied._begin_index = index  # its step and its noise use these
    return copied


def noised(scheduler, index: int) -> tuple[float, float]:
    """The scheduler's factors of clean latents and of noise at the level that step `index` expects."""
    copied = copy_before(scheduler, index)
    timestep = copied.timesteps[index].reshape(1)
    one, zero = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    if hasattr(copied, "scale_noise"):
        return float(copied.scale_noise(one, timestep, zero)), float(copied.scale_noise(zero, timestep, one))
    return float(copied.add_noise(one, zero, timestep)), float(copied.add_noise(zero, one, timestep))


def share_of_step(scheduler, index: int, eta: float) -> float:
    """How much of a change of the denoised estimate a step passes on, both in units of v.

    Multistep solvers see the change in the remembered steps too, because guidance acts at each of them. A step on
    latents that equal their estimate gives the scale of its output.
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
    if not (clean > 0 and moved > -TOLERANCE * clean):  # also refuses NaN
        raise InputError(
            f"guidance cannot follow {name} as it is set: its steps do not lead from more noise to less; set "
            "invert_sigmas to False, or call guided_step in a sampler of your own"
        )
    return moved / clean


def stepped(scheduler, index: int, eta: float, v: float, denoised: float) -> float:
    """The result of step `index` on latents v if the network denoises them, and earlier ones, to `denoised`."""
    remembered = min(getattr(scheduler, "lower_order_nums", 0), len(getattr(scheduler, "model_outputs", [0])) - 1)
    copied = copy_before(scheduler, index - remembered)
    options = {"eta": eta} if "eta" in inspect.signature(copied.step).parameters else {}
    with torch.random.fork_rng(devices=[]):  # leaves the pipeline's own random numbers as they are
        for i in range(index - remembered, index + 1):
            signal, spread = noised(scheduler, i)
            torch.default_generator.manual_seed(0)  # equal new noise in all these steps; a GPU's stays
            sample = torch.full((1, 1, 1, 1), signal * v, dtype=torch.float64)
            output = torch.zeros(1, channels_of(scheduler), 1, 1, dtype=torch.float64)
            output[:, 0] = predicted(scheduler, spread / signal if signal > 0 else math.inf, signal, v, denoised)
            after = copied.step(output, copied.timesteps[i], sample, **options).prev_sample
    return float(after[0, 0])


def channels_of(scheduler) -> int:
    """Output channels of a network per latent channel: two if it also learns the variance, which comes second."""
    return 2 if str(getattr(scheduler.config, "variance_type", None)).startswith("learned") else 1


def predicted(scheduler, sigma: float, signal: float, v: float, denoised: float) -> float:
    """The network output that the scheduler reads as denoising latents v, of noise sigma, to `denoised`."""
    noise = (v - denoised) / sigma
    if hasattr(scheduler, "precondition_outputs"):  # EDM's schedulers
        skip, out = (scheduler.precondition_outputs(*ends, sigma) for ends in ((1.0, 0.0), (0.0, 1.0)))
        return (denoised - skip * v) / out
    kind = getattr(scheduler.config, "prediction_type", "flow_prediction")  # flow's scheduler states none
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
