"""Noise levels: each conversion against its formula, each draw against its distribution, the noise itself."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from learnability.classifiers.classifier import build_classifier
from learnability.classifiers.noise import flow, vp
from learnability.classifiers.noise.levels import NoiseLevels
from learnability.classifiers.noise.levels import build_levels as build_filled
from learnability.errors import InputError
from learnability.study.options import check_options, noise_options
from tests.networks import GRID, described

CPU = torch.device("cpu")
LOGNORMAL = {"family": "edm", "draw": "lognormal"}
SCALED = GRID | {"scale_input": True}
FLOW = {"family": "flow", "draw": "uniform"}
LOGIT_NORMAL = {"family": "flow", "draw": "logit_normal"}
VP = {"family": "vp", "draw": "uniform"}
ALL = [GRID, LOGNORMAL, SCALED, FLOW, LOGIT_NORMAL, VP]
NAMES = ["grid", "lognormal", "scaled", "flow", "logit_normal", "vp"]
UNIT = torch.ones(1, 1, 1, 1)


def build_levels(noise: dict) -> NoiseLevels:
    return build_filled(noise_options(noise))


def curve_of(family: NoiseLevels) -> np.ndarray:
    """Twelve ascending σ, from the lowest that is trained on, evenly in ln σ up to the highest, or to 100."""
    return np.array([family.low, *np.geomspace(max(family.low, 0.01), min(family.high, 100), 12)[1:]])


def drawn(noise: dict, number: int = 20000) -> np.ndarray:
    torch.manual_seed(0)
    return build_levels(noise).sample(number, CPU).numpy().astype(float)


def test_the_grid_is_that_of_edm_written_out():
    found = build_levels(GRID).grid(torch.arange(32)).numpy()
    by_hand = [(80 ** (1 / 7) + i / 31 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7 for i in range(32)]
    np.testing.assert_allclose(found, by_hand, rtol=2e-6)
    assert (found > 0.5).sum() == 21  # most draws drown a latent of standard deviation 0.5
    assert (found > 2).sum() == 17
    other = build_levels(GRID | {"sigma_min": 0.1, "sigma_max": 10, "rho": 1, "steps": 4})
    np.testing.assert_allclose(other.grid(torch.arange(4)), [10, 6.7, 3.4, 0.1], rtol=1e-5)


def test_a_draw_from_the_grid_takes_every_step_with_the_same_chance():
    grid = build_levels(GRID).grid(torch.arange(32)).numpy().astype(float)
    values, counts = np.unique(drawn(GRID), return_counts=True)
    np.testing.assert_array_equal(values, grid[::-1])
    assert stats.chisquare(counts).pvalue > 0.001


def test_lognormal_levels_have_the_normal_logarithm_that_was_asked_for():
    sigma = drawn(LOGNORMAL | {"mean": -1.2, "deviation": 1.2})
    cut = stats.norm(-1.2, 1.2)
    inside = np.log(sigma[(sigma > sigma.min()) & (sigma < sigma.max())])
    ends = cut.mean() - 3 * cut.std(), cut.mean() + 3 * cut.std()
    assert stats.kstest(inside, stats.truncnorm(-3, 3, -1.2, 1.2).cdf).pvalue > 0.001
    np.testing.assert_allclose(np.log([sigma.min(), sigma.max()]), ends, rtol=1e-5)  # cut off at three deviations
    narrow = drawn(LOGNORMAL | {"sigma_min": 0.5, "sigma_max": 0.7})
    assert (narrow.min(), narrow.max()) == pytest.approx((0.5, 0.7))


def test_flow_times_are_uniform_or_logit_normal():
    t = flow.sigma_to_time(torch.from_numpy(drawn(FLOW))).numpy()
    assert stats.kstest(t, stats.uniform.cdf).pvalue > 0.001
    for mean, deviation in ((0, 1), (1, 0.5)):
        sigma = drawn(LOGIT_NORMAL | {"mean": mean, "deviation": deviation})
        t = flow.sigma_to_time(torch.from_numpy(sigma)).numpy()
        inside = np.log(t / (1 - t))[(sigma > sigma.min()) & (sigma < sigma.max())]
        assert stats.kstest(inside, stats.truncnorm(-3, 3, mean, deviation).cdf).pvalue > 0.001
        np.testing.assert_allclose(np.log([sigma.min(), sigma.max()]), [mean - 3 * deviation, mean + 3 * deviation])


def test_vp_takes_every_timestep_with_the_same_chance():
    values, counts = np.unique(drawn(VP, 100000), return_counts=True)
    np.testing.assert_array_equal(values, vp.timestep_to_sigma(torch.arange(1000)).numpy())
    assert stats.chisquare(counts).pvalue > 0.001


def test_flow_converts_by_its_formula_and_back():
    t = torch.linspace(0, 0.999, 1000, dtype=torch.float64)
    sigma = flow.time_to_sigma(t)
    np.testing.assert_allclose(sigma, t.numpy() / (1 - t.numpy()))
    np.testing.assert_allclose(flow.sigma_to_time(sigma), t, rtol=1e-12)
    z, n = torch.randn(2, 1000, dtype=torch.float64)
    scale = build_levels(FLOW).input_scale(sigma, UNIT, 0.5).flatten()
    np.testing.assert_allclose(scale * (z + sigma * n), (1 - t) * z + t * n, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(build_levels(FLOW).label(sigma), t)


def test_vp_converts_as_the_schedule_of_stable_diffusion_in_diffusers():
    from diffusers import DDPMScheduler

    scheduler = DDPMScheduler(1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    alpha_bar, t = scheduler.alphas_cumprod, torch.arange(1000)
    sigma = vp.timestep_to_sigma(t)
    np.testing.assert_allclose(vp.sigma_to_alpha_bar(sigma), alpha_bar, rtol=2e-5)
    np.testing.assert_allclose(vp.alpha_bar_to_sigma(vp.sigma_to_alpha_bar(sigma)), sigma, rtol=1e-4)
    np.testing.assert_allclose(vp.sigma_to_timestep(sigma), t, atol=1e-3)
    family = build_levels(VP)
    np.testing.assert_allclose(family.label(sigma), t / 1000, atol=1e-6)
    z, n = torch.randn(2, 1000, 1, 1, 1)
    expected = scheduler.add_noise(z, n, t)
    scaled = family.input_scale(sigma, UNIT, 0.5) * (z + sigma.view(-1, 1, 1, 1) * n)
    np.testing.assert_allclose(scaled, expected, rtol=1e-4, atol=1e-5)


def test_between_two_timesteps_the_logarithm_of_sigma_is_interpolated():
    t = torch.tensor([0.0, 0.25, 17.5, 998.75, 999.0])
    sigma = vp.timestep_to_sigma(t)
    np.testing.assert_allclose(vp.sigma_to_timestep(sigma), t, atol=1e-3)
    table = vp.timestep_to_sigma(torch.arange(1000)).numpy().astype(float)
    np.testing.assert_allclose(sigma, np.exp(np.interp(t, np.arange(1000), np.log(table))), rtol=1e-6)
    ends = vp.sigma_to_timestep(torch.tensor([0.0, 1e-5, 100.0, math.inf]))
    assert ends.tolist() == [0, 0, 999, 999]  # beyond the schedule: its nearest end


def test_the_schedule_of_an_evaluation_serves_a_training():
    vp.schedule.cache_clear()
    with torch.inference_mode():
        vp.schedule(CPU)
    sigma = torch.ones(2, requires_grad=True)
    vp.sigma_to_timestep(sigma).sum().backward()
    assert (sigma.grad > 0).all()


def test_edm_labels_a_quarter_of_the_logarithm_and_the_nearest_trained_level_beyond():
    edm = build_levels(GRID)
    label = edm.label(torch.tensor([0.0, 1e-5, 0.002, 1.0, math.e**2, 80, 500]))
    first, last = math.log(0.002) / 4, math.log(80) / 4
    np.testing.assert_allclose(label, [first, first, first, 0, 0.5, last, last], atol=1e-6)


@pytest.mark.parametrize("unit", [1.0, 3.0])
@pytest.mark.parametrize("noise", [SCALED, LOGNORMAL | {"scale_input": True}])
def test_input_scaling_gives_unit_variance_at_every_level(noise, unit):
    torch.manual_seed(0)
    edm = build_levels(noise)
    sigma = torch.tensor(curve_of(edm), dtype=torch.float32)
    z = 0.5 * torch.randn(len(sigma), 4, 64, 64)
    noisy = z + sigma.view(-1, 1, 1, 1) * unit * torch.randn_like(z)
    scaled = edm.input_scale(sigma, torch.full((1, 4, 1, 1), unit), 0.5) * noisy
    bound = 3 / math.sqrt(2 * 4 * 64 * 64)  # of the standard deviation of that many normal numbers
    np.testing.assert_allclose(scaled.std(dim=(1, 2, 3)), 1, atol=1.2 * bound)  # 12 levels are looked at


def test_without_input_scaling_the_factor_is_one():
    assert (build_levels(GRID).input_scale(torch.tensor([0.002, 80.0]), UNIT, 0.5) == 1).all()


ENDS = {  # the lowest and the highest σ that are drawn, by hand
    "grid": (0.002, 80),
    "lognormal": (math.exp(-0.4 - 3), math.exp(-0.4 + 3)),
    "scaled": (0.002, 80),
    "flow": (0, 2**24 - 1),  # t is a float32 in [0, 1)
    "logit_normal": (math.exp(-3), math.exp(3)),  # t from 0.047 to 0.953
    "vp": (math.sqrt(0.00085 / (1 - 0.00085)), 14.61),
}


@pytest.mark.parametrize("noise", ALL, ids=NAMES)
def test_the_lowest_and_the_highest_level_are_the_ends_of_what_is_trained_on(noise):
    family, sigma = build_levels(noise), drawn(noise)
    assert (family.low, family.high) == pytest.approx(ENDS[NAMES[ALL.index(noise)]], rel=1e-3)
    assert family.low * 0.999 <= sigma.min() <= family.low + 1e-3
    assert family.high * 1.001 >= sigma.max()
    assert flow.sigma_to_time(torch.tensor(family.high)) - flow.sigma_to_time(torch.tensor(sigma.max())) < 1e-3
    assert torch.isfinite(family.label(torch.tensor(curve_of(family)))).all()


@pytest.mark.parametrize("noise", ALL, ids=NAMES)
def test_clean_latents_have_the_least_label_of_training_and_beyond_both_ends_the_nearest_is_told(noise):
    family = build_levels(noise)
    trained = family.label(torch.tensor(drawn(noise), dtype=torch.float32))
    told = family.label(torch.tensor([family.clean, 0.0, family.low / 2, family.high, family.high * 2, math.inf]))
    assert told[:3].tolist() == pytest.approx([trained.min().item()] * 3, abs=1e-3)
    assert told[3:].tolist() == pytest.approx([trained.max().item()] * 3, abs=1e-3)
    assert (told[:1] <= trained).all()
    assert (trained <= told[3:4]).all()


@pytest.mark.parametrize("noise", ALL, ids=NAMES)
def test_no_noise_is_a_clean_latent_however_it_is_written(noise):
    model = build_classifier(described(4, noise=noise, film=True)).eval()
    for layer in model.film.stages:
        torch.nn.init.normal_(layer.weight)  # so that the label matters
    z = torch.randn(2, 4, 32, 32)
    clean = model(z)
    assert not torch.equal(clean, model(z, 1.0))
    for sigma in (0, 0.0, torch.tensor(0.0), torch.zeros(2), model.levels.clean):
        assert torch.equal(model(z, sigma), clean)


@pytest.mark.parametrize("unit", [None, np.linspace(0.5, 2, 4).reshape(4, 1, 1).tolist()])
def test_noise_has_mean_zero_and_the_deviation_of_its_level_after_normalisation(unit):
    torch.manual_seed(0)
    model = build_classifier(described(4, side=32, noise=GRID, noise_unit=unit))
    z, sigma = torch.randn(12, 4, 32, 32) * 9, torch.tensor(curve_of(build_levels(GRID)), dtype=torch.float32)
    x = model.normalise(z)
    added = model.add_noise(x, sigma, torch.randn_like(x)) - x
    relative = added.double() / sigma.view(-1, 1, 1, 1) / (1 if unit is None else torch.tensor(unit))
    count = 12 * 32 * 32  # per channel
    bound = 1.2 * 3 / math.sqrt(count)  # three standard errors, for each of four channels
    np.testing.assert_allclose(relative.mean(dim=(0, 2, 3)), 0, atol=bound)
    np.testing.assert_allclose(relative.std(dim=(0, 2, 3)), 1, atol=bound / math.sqrt(2))
    assert stats.kstest(relative[1:].flatten(), stats.norm.cdf).pvalue > 0.001


def test_a_unit_of_two_by_two_positions_is_repeated_over_the_grid():
    unit = torch.arange(1.0, 9).reshape(2, 2, 2)
    model = build_classifier(described(2, side=32, noise=GRID, noise_unit=unit.tolist()))
    assert model.noise_unit.shape == (1, 2, 32, 32)
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        assert (model.noise_unit[0, :, i::2, j::2] == unit[:, i, j].view(2, 1, 1)).all()
    assert "noise_unit" not in model.state_dict()  # weights fit a classifier without noise
    for wrong in ([[[1.0]]], [[[1.0, 2]], [[1, 2]]], np.ones((2, 3, 3)).tolist()):
        with pytest.raises(InputError, match=r"noise_unit is .* for 2 channels on a grid of 32 x 32; expected"):
            build_classifier(described(2, noise=GRID, noise_unit=wrong))


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        ({"family": "ddpm", "draw": "grid"}, "family is 'ddpm'; expected edm, flow or vp"),
        ({"draw": "grid"}, "family is None"),
        ({"family": "edm"}, "draw is None; family edm has grid and lognormal"),
        ({"family": "vp", "draw": "logit_normal"}, "draw is 'logit_normal'; family vp has uniform"),
        (FLOW | {"scale_input": True}, r"scale_input: family flow .* no such key \(it has none\); remove it"),
        (LOGNORMAL | {"rho": 7}, r"rho: .*it has .*'deviation', 'mean'"),
        (GRID | {"sigma_min": 80}, "sigma_min is 80, not below sigma_max, 80.0"),
        (GRID | {"sigma_min": 0}, "sigma_min is 0; expected a number above 0"),
        (GRID | {"sigma_max": math.inf}, "sigma_max is inf; expected a number"),
        (GRID | {"sigma_min": "1e-3"}, "sigma_min is '1e-3'; expected a number"),
        (GRID | {"rho": -7}, "rho is -7; expected a number above 0"),
        (GRID | {"steps": 1}, "steps is 1; expected a whole number, 2 or more"),
        (GRID | {"steps": 2.5}, "steps is 2.5"),
        (GRID | {"scale_input": 1}, "scale_input is 1; expected true or false"),
        (LOGNORMAL | {"deviation": 0}, "deviation is 0; expected a number above 0"),
        (LOGNORMAL | {"mean": 9}, "mean is 9: no level within 3 deviations lies between sigma_min and sigma_max"),
        (LOGNORMAL | {"mean": 800}, "mean is 800: no level within 3 deviations lies between sigma_min and sigma_max"),
        (LOGIT_NORMAL | {"mean": -99}, "mean is -99: no level within 3 deviations lies between those that float32"),
        (LOGIT_NORMAL | {"mean": 800}, "mean is 800: no level within 3 deviations"),
    ],
)
def test_noise_that_cannot_be_drawn_is_refused_and_the_key_is_named(noise, message):
    with pytest.raises(InputError, match=rf"recipes\.\*\.noise\.{message}"):
        build_levels(noise)
    with pytest.raises(InputError, match=rf"recipes\.\*\.noise\.{message}"):
        check_options(space="latent", model="convnext_tiny", head="linear", film=False, noise=noise)


@pytest.mark.parametrize("noise", ALL, ids=NAMES)
def test_noise_is_filled_with_the_defaults_of_its_family_and_draw_alone(noise):
    filled = noise_options(noise)
    assert filled.items() >= noise.items()
    assert noise_options(filled) == filled
    expected = {"edm": {"sigma_min", "sigma_max", "scale_input"}, "flow": set(), "vp": set()}[noise["family"]]
    expected = expected | {"grid": {"rho", "steps"}, "uniform": set()}.get(noise["draw"], {"mean", "deviation"})
    assert filled.keys() == {"family", "draw"} | expected
