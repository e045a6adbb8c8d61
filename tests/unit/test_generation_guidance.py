"""Classifier guidance: noise levels against diffusers, the formula against a distribution that is known, callbacks."""

import copy
import math
from itertools import pairwise
from types import SimpleNamespace

import diffusers
import pytest
import torch
from diffusers.pipelines.kandinsky2_2.pipeline_kandinsky2_2 import (
    KandinskyV22Pipeline,
)  # the package wants transformers
from torch import nn

from learnability import load_classifier
from learnability.autoencoders.latent_units import IDENTITY
from learnability.errors import InputError
from learnability.generation.conversion import to_pipeline, to_raw
from learnability.generation.guidance import Guidance, guided_step
from learnability.generation.levels import level_after_step
from tests.trained import CLASSES, describe_run, write_run

UNITS = {"mean": [0.3], "std": [2.0]}
NO_CLIP = {"clip_sample": False}
TRAILING = {"timestep_spacing": "trailing"}
V = {"prediction_type": "v_prediction"}
KINDS = {
    "DDIM": ("DDIMScheduler", NO_CLIP | TRAILING),
    "DDIM linspace": ("DDIMScheduler", NO_CLIP | {"timestep_spacing": "linspace"}),
    "DDIM v": ("DDIMScheduler", NO_CLIP | V | {"set_alpha_to_one": False, "steps_offset": 1}),
    "DDIM zero SNR": ("DDIMScheduler", NO_CLIP | V | TRAILING | {"rescale_betas_zero_snr": True}),
    "DDPM": ("DDPMScheduler", NO_CLIP),
    "DDPM linspace": ("DDPMScheduler", NO_CLIP | {"timestep_spacing": "linspace", "prediction_type": "sample"}),
    "DEIS": ("DEISMultistepScheduler", {}),
    "solver": ("DPMSolverMultistepScheduler", {}),
    "solver of third order": ("DPMSolverMultistepScheduler", V | {"solver_order": 3, "use_lu_lambdas": True}),
    "EDM": ("EDMEulerScheduler", {}),
    "EDM v": ("EDMEulerScheduler", V),
    "Euler": ("EulerDiscreteScheduler", TRAILING),
    "Euler v": ("EulerDiscreteScheduler", V | {"use_karras_sigmas": True, "final_sigmas_type": "sigma_min"}),
    "Euler zero SNR": ("EulerDiscreteScheduler", V | TRAILING | {"rescale_betas_zero_snr": True}),
    "ancestral": ("EulerAncestralDiscreteScheduler", TRAILING),
    "flow": ("FlowMatchEulerDiscreteScheduler", {}),
    "flow shifted": ("FlowMatchEulerDiscreteScheduler", {"shift": 3.0}),
    "flow stochastic": ("FlowMatchEulerDiscreteScheduler", {"stochastic_sampling": True}),
    "flow solver": ("DPMSolverMultistepScheduler", {"prediction_type": "flow_prediction", "use_flow_sigmas": True}),
    "SDE solver": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++", "solver_order": 1}),
}  # fmt: skip


def build_scheduler(kind: str, steps: int):
    name, options = KINDS[kind]
    scheduler = getattr(diffusers, name)(**options)
    scheduler.set_timesteps(steps)
    return scheduler


def noisy(scheduler, y: torch.Tensor, noise: torch.Tensor, timestep) -> torch.Tensor:
    """Add noise to y at a timestep, with diffusers itself."""
    timestep = timestep.view(1)
    if hasattr(scheduler, "scale_noise"):
        return scheduler.scale_noise(y, timestep, noise)
    return scheduler.add_noise(y, noise, timestep)


@pytest.mark.parametrize("kind", KINDS)
def test_the_level_is_that_of_diffusers_own_noise(kind):
    scheduler, other = build_scheduler(kind, 10), build_scheduler(kind, 10)
    y, noise = torch.randn(2, 1, 4, 3, 3)
    u = noisy(other, y, noise, other.timesteps[0])
    for i, timestep in enumerate(scheduler.timesteps):
        u = scheduler.step(torch.zeros_like(u), timestep, u).prev_sample
        before = torch.get_rng_state()
        level = level_after_step(scheduler, timestep)
        assert torch.equal(torch.get_rng_state(), before)  # the pipeline's own random numbers are left as they are
        if i == 9:
            assert level.sigma == 0
            continue
        expected = noisy(other, y, noise, other.timesteps[i + 1])
        torch.testing.assert_close(level.signal * (y + level.sigma * noise), expected, rtol=1e-4, atol=1e-4)


def coefficients(scheduler, timestep) -> tuple[float, float]:
    """The coefficients of clean latents and of noise at a timestep of a scheduler that made no step, from diffusers."""
    one, zero = torch.ones(1), torch.zeros(1)
    return noisy(scheduler, one, zero, timestep).item(), noisy(scheduler, zero, one, timestep).item()


def network_output(kind: str, v: torch.Tensor, clean: torch.Tensor, sigma: float) -> torch.Tensor:
    """The output of a network that takes v = y + sigma n for `clean`, for each prediction_type."""
    noise, name = (v - clean) / sigma, KINDS[kind][0]
    said = KINDS[kind][1].get("prediction_type", "flow" if name.startswith("Flow") else "epsilon")
    if name == "EDMEulerScheduler":
        skip, out = 0.25 / (sigma**2 + 0.25), 0.5 * sigma / math.sqrt(sigma**2 + 0.25)
        return (clean - skip * v) / (out if said == "epsilon" else -out)
    size = math.hypot(1, sigma)
    words = {"epsilon": noise, "sample": clean, "v_prediction": noise / size - clean * sigma / size}
    return (words | {"flow": noise - clean, "flow_prediction": noise - clean})[said]


ONE_STEP = [kind for kind in KINDS if "Multistep" not in KINDS[kind][0]]


@pytest.mark.parametrize(
    ("kind", "eta"), [*((kind, 0.0) for kind in ONE_STEP), ("DDIM linspace", 1.0), ("DDIM v", 0.5)]
)
def test_the_share_is_what_the_scheduler_itself_passes_on_of_a_change_of_the_denoised(kind, eta):
    scheduler, options = build_scheduler(kind, 10), {"eta": eta} if eta else {}
    u, previous = torch.randn(1, 4, 3, 3), None
    for timestep in scheduler.timesteps:
        if previous:
            signal, spread = coefficients(build_scheduler(kind, 10), timestep)
            sigma, y, change = spread / signal, torch.randn(1, 4, 3, 3), torch.full((1, 4, 3, 3), 0.5)
            ends = []
            for v, clean in ((u / signal, y), (u / signal, y + change), (u / signal + change, y + change)):
                output = network_output(kind, v, clean, sigma)
                torch.manual_seed(1)  # the same new noise
                step = copy.deepcopy(scheduler).step(output, timestep, v * signal, **options)
                if hasattr(step, "pred_original_sample"):  # the test says what it means to say
                    torch.testing.assert_close(step.pred_original_sample, clean, rtol=1e-3, atol=1e-3)
                ends.append(step.prev_sample)
            # What moves together with its estimate says of what size latents are after the step.
            own = (ends[1] - ends[0]).mean() / (ends[2] - ends[0]).mean()
            assert previous.share == pytest.approx(own.item(), rel=5e-3, abs=1e-3)
        u = scheduler.step(torch.zeros_like(u), timestep, u, **options).prev_sample
        previous = level_after_step(scheduler, timestep, eta)


def vp_sigma(alpha: float) -> float:
    return math.sqrt((1 - alpha) / alpha)


def test_the_shares_are_those_worked_out_by_hand():
    def shares(kind: str, eta: float = 0.0) -> tuple[list[float], list[float], object]:
        scheduler = build_scheduler(kind, 10)
        levels = []
        for timestep in scheduler.timesteps:
            scheduler.step(torch.zeros(1, 1, 1, 1), timestep, torch.ones(1, 1, 1, 1))
            levels.append(level_after_step(scheduler, timestep, eta))
        return [level.share for level in levels[:-1]], [level.sigma for level in levels], scheduler

    for kind in ("Euler", "EDM", "flow shifted", "solver", "flow solver", "solver of third order"):
        found, sigma, _ = shares(kind)
        assert found == pytest.approx([1 - b / a for a, b in pairwise(sigma)], abs=1e-4)
    for kind in ("DDPM", "ancestral", "SDE solver"):
        found, sigma, _ = shares(kind)
        expected = [1 - (b / a) ** 2 for a, b in pairwise(sigma)]
        assert found[:-1] == pytest.approx(expected[:-1], abs=1e-3)
    assert shares("flow stochastic")[0] == pytest.approx([1] * 9)  # nothing of the latents themselves is kept
    for eta in (0.0, 1.0):
        found, sigma, scheduler = shares("DDIM linspace", eta)
        alphas = scheduler.alphas_cumprod.double()
        for share, timestep in zip(found, scheduler.timesteps[1:].tolist(), strict=True):
            # DDIM steps 1000 / 10 timesteps back, wherever the next of its own timesteps is.
            then = alphas[timestep - 100].item() if timestep >= 100 else 1.0
            ratio = vp_sigma(then) / vp_sigma(alphas[timestep].item())
            assert share == pytest.approx(1 - ratio ** (1 + eta), abs=1e-3)


def test_a_solver_that_remembers_is_asked_about_a_change_at_every_step():
    """For DEIS of second order the shift of the noise is -1 / sigma at this step and the one before."""
    scheduler = build_scheduler("DEIS", 10)
    for i in range(5):
        scheduler.step(torch.zeros(1, 1, 1, 1), scheduler.timesteps[i], torch.ones(1, 1, 1, 1))
    other, size = copy.deepcopy(scheduler), [vp_sigma(scheduler.alphas_cumprod[int(t)].item()) for t in
                                             scheduler.timesteps[4:7]]  # fmt: skip
    ends = []
    for change in (0.0, 1.0):
        copied = copy.deepcopy(other)
        copied.model_outputs[-1] = torch.full((1, 1, 1, 1), -change / size[0])
        ends.append(
            copied.step(torch.full((1, 1, 1, 1), -change / size[1]), copied.timesteps[5], torch.zeros(1, 1, 1, 1))
        )
    moved = (ends[1].prev_sample - ends[0].prev_sample).item() * math.hypot(1, size[2])  # in units of v
    assert level_after_step(scheduler, scheduler.timesteps[4]).share == pytest.approx(moved, rel=1e-3)


class Mixture(nn.Module):
    """Two classes of latents (N, 1, 1, 1), normal around -0.5 and 0.5: classifier and denoiser in closed form."""

    def __init__(self, spread: float = 0.6):
        super().__init__()
        self.classes, self.levels, self.spread = ["low", "high"], SimpleNamespace(clean=0.0), spread
        self.centres = torch.tensor([-0.5, 0.5])
        self.mean, self.std, self.noise_unit = torch.zeros(3, 1, 1, 1, 1).unbind()
        self.std, self.noise_unit = self.std + 1, self.noise_unit + 1

    def forward(self, z: torch.Tensor, sigma: float) -> torch.Tensor:
        return -(z.flatten(1) - self.centres).square() / (2 * (self.spread**2 + sigma**2))

    def denoise(self, v: torch.Tensor, sigma: float) -> torch.Tensor:
        """E[y | v] of v = y + sigma n."""
        centre = (self(v, sigma).softmax(1) * self.centres).sum(1).view_as(v)
        return (self.spread**2 * v + sigma**2 * centre) / (self.spread**2 + sigma**2)


def sample(
    kind: str, guidance: Guidance | None = None, exact: bool = False, number: int = 4000, steps: int = 200
) -> torch.Tensor:
    """Draw from the mixture with diffusers' scheduler and the exact denoiser, and guidance after each step.

    `exact` puts the guidance of scale one to the class `low` into the denoised itself, as it is derived.
    """
    scheduler, fresh, mixture = build_scheduler(kind, steps), build_scheduler(kind, steps), Mixture()
    torch.manual_seed(0)
    pipe, u = SimpleNamespace(scheduler=scheduler), torch.randn(number, 1, 1, 1)
    for i, timestep in enumerate(scheduler.timesteps):
        signal, spread = coefficients(fresh, timestep)
        signal = max(signal, 1e-4)
        sigma, u = spread / signal, u if i else u * math.hypot(signal, spread)
        v = (u / signal).requires_grad_()
        clean = mixture.denoise(v, sigma)
        if exact and i:
            (gradient,) = torch.autograd.grad(mixture(v, sigma).log_softmax(1)[:, 0].sum(), v)
            clean = clean + sigma**2 * gradient
        with torch.no_grad():
            u = scheduler.step(network_output(kind, v, clean, sigma), timestep, u).prev_sample
        if guidance:
            u = guidance(pipe, i, timestep, {"latents": u})["latents"]
    return u.flatten()


# The variance of what others draw is too small even without guidance.
SOUND = [kind for kind in KINDS if kind not in ("EDM", "EDM v", "Euler v", "DDIM zero SNR", "Euler zero SNR")]


@pytest.mark.parametrize("kind", SOUND)
def test_guidance_of_scale_one_draws_from_the_class(kind):
    guided, exact = sample(kind, Guidance(Mixture(), "low", scale=1.0, pipeline=IDENTITY)), sample(kind, exact=True)
    assert guided.mean() == pytest.approx(exact.mean().item(), abs=0.02)
    assert guided.std() == pytest.approx(exact.std().item(), abs=0.02)
    assert guided.mean() == pytest.approx(-0.5, abs=0.05)
    if kind != "flow stochastic":  # which makes its latents anew from the denoised, whose variance is too small
        assert guided.std() == pytest.approx(0.6, abs=0.05)
        assert sample(kind).mean().abs() < 0.05


def test_a_larger_scale_sharpens_and_scale_zero_changes_nothing():
    means = [sample("DDIM", Guidance(Mixture(), "high", scale, IDENTITY)).mean() for scale in (0.0, 1.0, 4.0)]
    assert torch.equal(means[0], sample("DDIM").mean())
    assert means[2] > means[1] + 0.2


def test_the_whole_shift_is_that_of_algorithm_2():
    """Predicted noise minus sqrt(1 - a) times the gradient with respect to u, written in the paper's own symbols."""
    mixture, a, u = Mixture(), 0.3, torch.linspace(-2, 2, 7).view(-1, 1, 1, 1).requires_grad_()
    sigma, label = math.sqrt((1 - a) / a), torch.tensor([1])
    (gradient,) = torch.autograd.grad(mixture(u / math.sqrt(a), sigma).log_softmax(1)[:, 1].sum(), u)
    shifted_noise = -math.sqrt(1 - a) * gradient
    shifted_clean = -math.sqrt(1 - a) / math.sqrt(a) * shifted_noise  # y = (u - sqrt(1 - a) n) / sqrt(a)
    after = guided_step(mixture, u, label, sigma, 0.0, pipeline=IDENTITY, signal=math.sqrt(a))
    torch.testing.assert_close((after - u) / math.sqrt(a), shifted_clean)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return load_classifier(write_run(tmp_path_factory.mktemp("run"), describe_run(pipeline=UNITS)))


def probability(classifier, u, level, pipeline) -> torch.Tensor:
    with torch.inference_mode():
        return classifier(to_raw(u / level.signal, pipeline, 4), level.sigma).softmax(1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tokens", [True, False])
def test_a_step_raises_the_probability_of_the_asked_class(kind, tokens, classifier):
    scheduler = build_scheduler(kind, 10)
    vae = SimpleNamespace(config=SimpleNamespace(scaling_factor=0.5, shift_factor=0.3))  # UNITS
    pipe = SimpleNamespace(scheduler=scheduler, vae=vae)
    torch.manual_seed(0)
    y, noise = torch.randn(2, 3, 4, 8, 8)
    if tokens:
        y, noise = (to_pipeline(latents, IDENTITY, packed=True, tokens=True) for latents in (y, noise))
    u, guidance = noisy(build_scheduler(kind, 10), y, noise, scheduler.timesteps[0]), Guidance(classifier, CLASSES)
    for i, timestep in enumerate(scheduler.timesteps):
        u = scheduler.step(noise, timestep, u).prev_sample
        level = level_after_step(scheduler, timestep)
        with torch.inference_mode() if i % 2 else torch.no_grad():
            after = guidance(pipe, i, timestep, {"latents": u, "prompt_embeds": None})
        if i == 9:
            assert after["latents"] is u
            break
        rise = (
            probability(classifier, after["latents"], level, UNITS) - probability(classifier, u, level, UNITS)
        ).diag()
        assert level.sigma < 0.05 or (rise > 0).all()  # below, a shift of the size of sigma^2 drowns in rounding
        assert set(after) == {"latents", "prompt_embeds"}
        u = after["latents"].clone()
    assert all(parameter.grad is None for parameter in classifier.parameters())


def test_half_precision_stays_and_one_label_serves_all(classifier):
    u = torch.randn(3, 4, 8, 8)
    one = guided_step(classifier, u, torch.tensor([1]), 1.0, 0.5, pipeline=UNITS)
    assert torch.equal(one, guided_step(classifier, u, torch.tensor([1, 1, 1]), 1.0, 0.5, pipeline=UNITS))
    half = guided_step(classifier, u.half(), torch.tensor([1]), 1.0, 0.5, pipeline=UNITS)
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.float(), one, rtol=1e-2, atol=1e-2)


def test_diffusers_calls_it_in_a_pipeline_of_its_own(classifier):
    """Kandinsky 2.2 is the only latent pipeline of diffusers with this callback that needs no text encoder."""
    torch.manual_seed(0)
    unet = diffusers.UNet2DConditionModel(
        in_channels=4, out_channels=8, block_out_channels=(8, 16), layers_per_block=1, cross_attention_dim=8,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"), norm_num_groups=4,
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"), attention_head_dim=4,
        mid_block_type="UNetMidBlock2DSimpleCrossAttn", addition_embed_type="image", encoder_hid_dim=8,
        encoder_hid_dim_type="image_proj", resnet_time_scale_shift="scale_shift", class_embed_type=None,
    )  # fmt: skip
    movq = diffusers.VQModel(
        latent_channels=4, num_vq_embeddings=8, block_out_channels=(32,) * 4, norm_num_groups=32,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("AttnUpDecoderBlock2D",) * 4,
        norm_type="spatial", vq_embed_dim=4,
    )  # fmt: skip
    scheduler = diffusers.DDPMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        variance_type="learned_range",
        clip_sample=False,
    )
    pipe = KandinskyV22Pipeline(unet, scheduler, movq)
    pipe.set_progress_bar_config(disable=True)
    embeds = torch.randn(2, 8)

    def generate(callback) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        options = {"height": 64, "width": 64, "num_inference_steps": 5, "output_type": "latent", "guidance_scale": 1.0}
        return pipe(embeds, embeds, generator=generator, callback_on_step_end=callback, **options).images

    free = generate(None)
    assert free.shape == (2, 4, 8, 8)
    guided = generate(Guidance(classifier, ["melanoma", "nevus"], 12.0, UNITS))
    before, after = (classifier(to_raw(z, UNITS, 4)).softmax(1)[[0, 1], [1, 2]] for z in (free, guided))
    assert (after > before + 0.02).all()
    label = torch.tensor([1, 2])
    levels = []

    def by_hand(pipe, step, timestep, kwargs):
        index = pipe.scheduler.timesteps.tolist().index(int(timestep)) + 1
        alphas = [float(pipe.scheduler.alphas_cumprod[t]) for t in pipe.scheduler.timesteps[index:]] + [1.0]
        sigmas = [math.sqrt((1 - a) / a) for a in alphas]
        if len(sigmas) > 1:
            levels.append(sigmas[0])
            v = (kwargs["latents"] * math.sqrt(1 + sigmas[0] ** 2)).requires_grad_()
            with torch.enable_grad():
                chosen = classifier(v * 2.0 + 0.3, sigmas[0]).log_softmax(1)[[0, 1], label].sum()
            (gradient,) = torch.autograd.grad(chosen, v)
            shift = 12.0 * (sigmas[0] ** 2 - sigmas[1] ** 2) * gradient
            kwargs["latents"] = (v + shift).detach() / math.sqrt(1 + sigmas[0] ** 2)
        return kwargs

    torch.testing.assert_close(generate(by_hand), guided, rtol=1e-3, atol=1e-4)
    assert levels == sorted(levels, reverse=True)
    assert len(levels) == 4


def test_noise_of_another_shape_than_the_pipelines_is_refused(tmp_path, classifier):
    per_channel = load_classifier(write_run(tmp_path / "a", describe_run(noise_unit=None)))
    u, label = torch.randn(1, 4, 8, 8), torch.tensor([0])
    message = r"units is 0.5 to 1.5 over the channels, not 1.* train a recipe with `noise_space: autoencoder`"
    with pytest.raises(InputError, match=message):
        guided_step(per_channel, u, label, 1.0, pipeline=UNITS)
    with pytest.raises(InputError, match="noise of this classifier's training is not that of the pipeline"):
        guided_step(classifier, u, label, 1.0, pipeline=IDENTITY)  # another autoencoder's
    packed = {"mean": [0.0], "std": torch.linspace(1, 2, 16).tolist()}
    with pytest.raises(InputError, match="noise of this classifier's training is not that of the pipeline"):
        guided_step(classifier, u, label, 1.0, pipeline=packed)
    tiled = load_classifier(write_run(tmp_path / "b", describe_run(pipeline=packed)))
    guided_step(tiled, u, label, 1.0, pipeline=packed)


def test_what_guidance_cannot_work_with_is_refused(tmp_path, classifier):
    clean = load_classifier(write_run(tmp_path, describe_run(film=False, noise=None, noise_unit=None)))
    with pytest.raises(InputError, match="trained on clean latents alone, and guidance asks it about noisy ones"):
        Guidance(clean, "nevus")
    with pytest.raises(InputError, match=r"class 'mole' is not one of the classifier's; it has \['benign', "):
        Guidance(classifier, ["nevus", "mole"])
    for sigma in (0.0, math.inf, math.nan):
        with pytest.raises(InputError, match=f"guidance at sigma {sigma}: expected a number above 0"):
            guided_step(classifier, torch.randn(1, 4, 8, 8), torch.tensor([0]), sigma, pipeline=UNITS)
    for next_sigma in (-0.1, 1.1, math.nan):
        with pytest.raises(
            InputError, match=f"next_sigma {next_sigma}: expected 0 to sigma, 1.0; a step leads to less"
        ):
            guided_step(classifier, torch.randn(1, 4, 8, 8), torch.tensor([0]), 1.0, next_sigma, pipeline=UNITS)
    for name in ("HeunDiscreteScheduler", "UniPCMultistepScheduler"):
        message = f"guidance cannot follow {name}; use one of DDIMScheduler, .*guided_step"
        with pytest.raises(InputError, match=message):
            level_after_step(getattr(diffusers, name)(), 0)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("DDIMScheduler", {}, "it cuts the denoised estimate, .* set clip_sample and thresholding to False"),
        ("DDPMScheduler", {"clip_sample_range": 5.0}, "it cuts the denoised estimate"),
        ("DDPMScheduler", {"clip_sample": False, "thresholding": True}, "it cuts the denoised estimate"),
        ("DPMSolverMultistepScheduler", {"thresholding": True}, "it cuts the denoised estimate"),
        ("DEISMultistepScheduler", {"thresholding": True}, "it cuts the denoised estimate"),
        (
            "FlowMatchEulerDiscreteScheduler",
            {"invert_sigmas": True},
            "do not lead from more noise to less; set invert_s",
        ),
        (
            "DPMSolverMultistepScheduler",
            {"prediction_type": "flow_prediction"},
            "of another kind of noise .* see use_fl",
        ),
        (
            "DPMSolverMultistepScheduler",
            V | {"use_flow_sigmas": True},
            "prediction_type v_prediction is of another kind",
        ),
    ],
)
def test_options_that_guidance_cannot_follow_are_refused(name, options, message):
    scheduler = getattr(diffusers, name)(**options)
    scheduler.set_timesteps(10)
    u = scheduler.step(torch.zeros(1, 4, 2, 2), scheduler.timesteps[0], torch.randn(1, 4, 2, 2)).prev_sample
    pipe = SimpleNamespace(scheduler=scheduler)
    with pytest.raises(InputError, match=f"guidance cannot follow {name} as it is set: .*{message}"):
        Guidance(Mixture(), "low", pipeline=IDENTITY)(pipe, 0, scheduler.timesteps[0], {"latents": u})
