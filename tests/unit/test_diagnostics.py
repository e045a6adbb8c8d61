"""Numbers about latents against closed forms: white noise, fields of known power, planted ranks and dimensions."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.fft import dctn

from learnability.diagnostics import channels, encoder, equivariance, neighbours, positions, spectra
from learnability.diagnostics.encoding import Seen, as_table, diagnose_array, diagnose_sample
from learnability.diagnostics.images import SETTINGS
from learnability.storage.channel_sums import channel_sums
from tests.conftest import CHECKOUT, environment_in

CPU = torch.device("cpu")


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def field(power: float, side: int = 64, number: int = 40) -> torch.Tensor:
    """Random fields (n, 1, side, side) whose power falls as 1 / f^power."""
    k = torch.hypot(torch.fft.fftfreq(side)[:, None] * side, torch.fft.fftfreq(side) * side).double()
    k[0, 0] = 1
    return torch.fft.ifft2(torch.fft.fft2(noise(number, 1, side, side)) * k ** (-power / 2)).real


def test_the_dct_is_that_of_scipy():
    z = noise(2, 3, 8, 12)
    np.testing.assert_allclose(spectra.dct(z).numpy(), dctn(z.numpy(), axes=(2, 3), norm="ortho"), atol=1e-12)


@pytest.mark.parametrize(("tau", "expected"), [(0.25, 0.875), (0.5, 0.5), (0.75, 0.125)])
def test_white_noise_has_the_energy_of_its_triangle_of_frequencies(tau, expected):
    share = spectra.high_frequency_share(spectra.dct(noise(50, 4, 64, 64)).square(), tau)
    assert share.mean().item() == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_the_slope_of_a_field_is_the_power_that_it_was_made_with(power):
    mean = spectra.fourier_power(field(power)).mean(dim=(0, 1))
    assert spectra.radial_slope(mean) == pytest.approx(-power, abs=0.08)


def test_the_spectrum_of_a_field_falls_as_it_was_made_and_adds_up_from_its_rings():
    mean = spectra.fourier_power(field(2.0)).mean(dim=(0, 1))
    frequency, power = spectra.radial_power(mean)
    assert (frequency[0], frequency[-1], len(frequency)) == (1 / 64, 0.5, 32)
    slope = np.polyfit(np.log(frequency[:-1]), np.log(power[:-1]), 1)[0]
    assert slope == pytest.approx(spectra.radial_slope(mean))
    ring = np.hypot(*np.meshgrid(np.fft.fftfreq(64) * 64, np.fft.fftfreq(64) * 64)).round() == 3
    assert power[2].item() == pytest.approx(mean.numpy()[ring].mean())


def profile(z: torch.Tensor, delta: float = 0.0) -> torch.Tensor:
    return spectra.radial_profile(spectra.radial_means(spectra.dct(z).square().mean(dim=1)), delta)


# Of images with power 1 / f^3 at delta 1 from latents with power 1 / f^power, on a grid of 32: least at 1 / f^2, for
# which f^delta asks.
@pytest.mark.parametrize(("power", "expected"), [(0.0, 0.50), (1.0, 0.10), (2.0, 0.01), (3.0, 0.27)])
def test_the_divergence_asks_of_latents_for_the_weighted_spectrum_of_images(power, expected):
    wanted, latents = (field(one, 32, 200) for one in (3.0, power))
    found = spectra.divergence(profile(wanted / wanted.std(), 1.0), profile(latents / latents.std()))
    assert found.mean().item() == pytest.approx(expected, abs=0.03)


def test_the_divergence_of_spectra_is_that_by_hand():
    x, z = noise(3, 2, 8, 8).numpy() + 7, noise(3, 5, 8, 8, seed=1).numpy()  # 7 is the constant part, which goes
    radius = np.hypot(*np.meshgrid(np.arange(8), np.arange(8)))
    bins = np.minimum(16 * radius / radius.max(), 15).astype(int)
    shares = []
    for planes, delta in ((x, 1), (z, 0)):
        power = dctn(planes - planes.mean(axis=(2, 3), keepdims=True), axes=(2, 3), norm="ortho") ** 2
        means = [[one[bins == i].mean() if (bins == i).any() else 0 for i in range(16)] for one in power.mean(axis=1)]
        logs = np.log(1 + np.array(means) * np.arange(1, 17) ** delta)
        shares.append(logs / logs.sum(axis=1, keepdims=True))
    p, q = shares
    has = p > 0
    expected = [np.sum(p[i][has[i]] * np.log(p[i][has[i]] / q[i][has[i]])) for i in range(3)]
    found = spectra.divergence(profile(torch.from_numpy(x), 1.0), profile(torch.from_numpy(z)))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9)


def test_ranks_of_planted_eigenvalues():
    values = torch.tensor([1.0, 1.0, 2.0, 4.0], dtype=torch.float64)
    share = np.array([1, 1, 2, 4]) / 8
    assert channels.effective_rank(values) == pytest.approx(np.exp(-(share * np.log(share)).sum()))
    assert (channels.participation(values), channels.condition(values)) == (pytest.approx(64 / 22), 4)
    mixed = noise(5000, 3) @ noise(3, 8, seed=1)  # of rank 3
    cov = channels.covariance(mixed.T @ mixed, mixed.sum(dim=0), len(mixed))
    np.testing.assert_allclose(cov.numpy(), np.cov(mixed.numpy().T, bias=True), rtol=1e-9)
    assert channels.effective_rank(channels.eigenvalues(cov)) <= 3
    r = np.corrcoef(mixed.numpy().T)
    assert channels.mean_correlation(cov) == pytest.approx(np.abs(r[np.triu_indices(8, 1)]).mean())


@pytest.mark.parametrize("dimension", [2, 5])
def test_the_dimension_of_a_gaussian_in_a_larger_space(dimension):
    features = noise(2000, dimension) @ torch.linalg.qr(noise(10, dimension, seed=1))[0].T
    mu = neighbours.ratios(neighbours.nearest(features, np.arange(2000), 2)[0])
    assert neighbours.twonn(mu) == pytest.approx(dimension, rel=0.1)
    assert neighbours.mle_dimension(mu) == pytest.approx(dimension, rel=0.1)


# Of scikit-dimension 0.5.0, TwoNN(discard_fraction).fit(numpy.random.default_rng(0).normal(size=(500, dimension))).
TWONN = {(3, 0.05): 3.0393644421627832, (3, 0.2): 3.01572661023208, (30, 0.1): 22.32086680012549}


@pytest.mark.parametrize(("dimension", "dropped"), TWONN)
def test_the_dimension_is_that_of_scikit_dimension(dimension, dropped):
    features = torch.from_numpy(np.random.default_rng(0).normal(size=(500, dimension)))
    mu = neighbours.ratios(neighbours.nearest(features, np.arange(500), 2)[0])
    assert neighbours.twonn(mu, dropped) == pytest.approx(TWONN[dimension, dropped], rel=1e-9)


@pytest.mark.skipif("LATENT_CACHES" not in os.environ, reason="LATENT_CACHES names no folder of cached latents")
@pytest.mark.parametrize(("name", "rank", "ratio", "condition", "dimension"), [
    ("f16d32", 18.76, 12.36, 5488, 17.6),
    ("f16d32_vfdinov2", 21.02, 16.44, 128, 10.5),
])  # fmt: skip
def test_cached_latents_of_lightningdit_have_their_known_numbers(name, rank, ratio, condition, dimension):
    """(10000, 32) of hustvl/LightningDiT, tools/latent_demos; the dimension is of the first 2,000 rows."""
    x = torch.from_numpy(np.load(Path(os.environ["LATENT_CACHES"], f"{name}.npy"))).double()
    values = channels.eigenvalues(channels.covariance(x.T @ x, x.sum(dim=0), len(x)))
    found = channels.effective_rank(values), channels.participation(values), channels.condition(values)
    mu = neighbours.ratios(neighbours.nearest(x[:2000], np.arange(2000), 2)[0])
    assert found == pytest.approx((rank, ratio, condition), rel=5e-3)
    assert neighbours.twonn(mu) == pytest.approx(dimension, abs=0.05)


def test_images_of_one_group_are_no_neighbours():
    once = noise(300, 6)
    features = torch.cat([once, once + 1e-3 * noise(300, 6, seed=1)])
    group = np.tile(np.arange(300), 2)
    alone = neighbours.ratios(neighbours.nearest(features, np.arange(600), 2)[0])
    grouped = neighbours.ratios(neighbours.nearest(features, group, 2)[0])
    assert neighbours.mle_dimension(alone) < 1 < 4 < neighbours.mle_dimension(grouped)


def test_cells_of_smooth_fields_are_alike_when_near_and_those_of_noise_never():
    smooth = torch.cat([field(3.0, 32), field(3.0, 32)], dim=1)
    alike = positions.similarity_by_distance(smooth).tolist()
    assert positions.near_minus_far(alike) > 0.3
    assert positions.decay(alike) > 0.02
    apart = positions.similarity_by_distance(noise(40, 8, 32, 32)).tolist()
    assert abs(positions.near_minus_far(apart)) < 0.02
    assert positions.decay(apart[:7]) is None


class Average:
    """An encoder by the mean of 4 x 4 pixels: equivariant to all but sub-cell shifts. `skewed`: with a ramp, not."""

    channels, factor, decodes, stochastic = 3, 4, True, False

    def __init__(self, skewed: bool):
        self.skewed = skewed

    def encode(self, x):
        z = torch.nn.functional.avg_pool2d(x, 4)
        return z * torch.linspace(-1, 1, z.shape[3]) if self.skewed else z

    def decode(self, z):
        return torch.nn.functional.interpolate(z, scale_factor=4)


def images(number: int = 12, side: int = 64) -> np.ndarray:
    smooth = field(2.0, side, 3 * number).reshape(number, 3, side, side)
    return ((smooth / smooth.abs().amax() + 1) * 127.5).round().numpy().astype(np.uint8).transpose(0, 2, 3, 1)


@pytest.mark.parametrize("skewed", [False, True])
def test_an_equivariant_encoder_has_no_error_and_a_skewed_one_has(skewed):
    seen = images()
    x = torch.from_numpy(seen).movedim(-1, 1).float() / 127.5 - 1
    z = Average(skewed).encode(x).numpy()
    rows = diagnose_sample(Average(skewed), {}, seen, channel_sums(z), z[0, 0].size, CPU)
    error = {row.variant.partition("=")[2]: row.value for row in rows if row.diagnostic == "equivariance_encoder"}
    assert {"turn", "flip", "shift_cell", "shift_half_cell", "scale_half"} == error.keys()
    assert error["scale_half"] == pytest.approx(0, abs=0.05)
    for name in ("turn", "flip"):
        assert (error[name] > 0.5) if skewed else error[name] == pytest.approx(0, abs=1e-9)


def sampled(autoencoder: Average, seen: np.ndarray, z: np.ndarray) -> pd.DataFrame:
    rows = diagnose_sample(autoencoder, {}, seen, channel_sums(z), z[0, 0].size, CPU)
    return as_table(rows, "made", "tried", "family").set_index(["diagnostic", "variant"])


def of_average(seen: np.ndarray) -> tuple[torch.Tensor, np.ndarray]:
    """Images (n, 3, H, W) in [-1, 1] and their latents by Average(False)."""
    x = torch.from_numpy(seen).movedim(-1, 1).float() / 127.5 - 1
    return x, Average(False).encode(x).numpy()


def test_the_decoder_of_an_equivariant_autoencoder_gives_the_psnr_of_its_reconstructions():
    seen = images()
    z = of_average(seen)[1]
    x_hat = ((Average(False).decode(torch.from_numpy(z)) + 1) * 127.5).round()
    error = (x_hat.numpy() - seen.transpose(0, 3, 1, 2)) ** 2
    expected = np.mean(10 * np.log10(255**2 / error.mean(axis=(1, 2, 3))))
    table = sampled(Average(False), seen, z)
    for name in ("turn", "flip"):
        found = table.loc[("equivariance_decoder", f"normalised;transform={name}"), "value"]
        assert found == pytest.approx(expected, abs=0.01)


def test_an_image_that_comes_back_equal_is_not_in_the_psnr_of_the_decoder():
    seen = images()
    blank, alone = np.concatenate([seen, np.zeros_like(seen[:1])]), np.zeros_like(seen)
    tables = [sampled(Average(False), each, of_average(each)[1]) for each in (seen, blank, alone)]
    found = [table.loc[("equivariance_decoder", "normalised;transform=flip")] for table in tables]
    assert found[1]["value"] == pytest.approx(found[0]["value"], abs=0.01)
    assert [row["n"] for row in found] == [len(seen)] * 3
    assert found[2]["value"] == "n/a (images come back equal)"


def test_the_share_of_a_posterior_is_that_of_the_gaussian_it_adds():
    mode, variance = 2 * noise(4000, 3), [1.0, 4.0, 12.0]
    sampled = mode + torch.tensor(variance).sqrt() * noise(4000, 3, seed=1)
    share = 1 - mode.var(dim=0) / sampled.var(dim=0)
    row = encoder.noise_share(variance, mode.std(dim=0).numpy(), 4000)
    assert row.value == pytest.approx(np.mean([1 / 5, 4 / 8, 12 / 16]), abs=0.01)
    assert row.value == pytest.approx(float(share.mean()), abs=0.02)
    assert encoder.noise_share(None, np.ones(3), 9).value == "n/a (no posterior)"


def test_a_channel_without_any_variance_has_no_share_of_noise():
    assert encoder.noise_share([1.0, 0.0], np.array([1.0, 0.0]), 9).value == 0.5
    assert encoder.noise_share([0.0], np.zeros(1), 9).value == "n/a (constant channels)"


def test_a_constant_channel_leaves_the_error_of_the_others():
    class WithConstant(Average):
        channels, decodes = 4, False

        def encode(self, x):
            z = super().encode(x)
            return torch.cat([z, torch.full_like(z[:, :1], 5)], dim=1)

    seen = images()
    z = WithConstant(True).encode(of_average(seen)[0]).numpy()
    key = ("equivariance_encoder", "normalised;transform=flip")
    alone = sampled(Average(True), seen, z[:, :3]).loc[key, "value"]
    assert sampled(WithConstant(True), seen, z).loc[key, "value"] == pytest.approx(alone, rel=1e-4)


def test_unrelated_latents_have_an_error_of_two_whatever_channels_are_constant():
    class Unrelated(Average):
        channels, decodes, drawn = 4, False, 0

        def encode(self, x):
            self.drawn += 1
            z = noise(len(x), 4, x.shape[2] // 4, x.shape[3] // 4, seed=self.drawn).float()
            z[:, 2:] = 5
            return z

    seen, encoder_of = images(), Unrelated(False)
    z = encoder_of.encode(of_average(seen)[0]).numpy()
    row = sampled(encoder_of, seen, z).loc[("equivariance_encoder", "normalised;transform=turn")]
    assert (row["value"], row["null"]) == (pytest.approx(2, rel=0.05), pytest.approx(2, rel=0.05))
    z[:] = 5
    row = sampled(encoder_of, seen, z).loc[("equivariance_encoder", "normalised;transform=turn")]
    assert (row["value"], row["null"]) == ("n/a (constant channels)",) * 2


BLURRED = """
import resource, torch
from learnability.diagnostics.images import image_profiles

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

image_profiles(torch.randint(0, 256, (8, 3, 128, 128), dtype=torch.uint8), (16, 16))
before = peak()
image_profiles(torch.randint(0, 256, (96, 3, 128, 128), dtype=torch.uint8), (16, 16))
print(peak() - before)
"""


def test_blurring_many_images_takes_no_more_memory_than_a_few():
    """It runs in its own process, because what other tests leave in memory would hide it."""
    done = subprocess.run([sys.executable, "-c", BLURRED], env=environment_in(CHECKOUT), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 60  # MB; all 96 at once take several hundred


def test_an_autoencoder_that_draws_at_random_has_no_equivariance():
    drawing, seen = Average(False), images()
    drawing.stochastic = True
    table = sampled(drawing, seen, of_average(seen)[1]).loc[["equivariance_encoder", "equivariance_decoder"]]
    assert set(table["value"]) == {"n/a (draws at random)"}


@pytest.mark.parametrize(("side", "names"), [(4, ["turn", "flip"]), (8, ["turn", "flip"])])
def test_a_grid_of_one_or_two_cells_is_not_shifted(side, names):
    seen = images(side=side)
    table = sampled(Average(False), seen, of_average(seen)[1]).loc["equivariance_encoder"]
    assert list(table.index) == [f"normalised;transform={name}" for name in names]


@pytest.mark.parametrize("transform", equivariance.transforms(4, 64), ids=lambda transform: transform.name)
def test_unrelated_latents_have_the_error_of_the_null(transform):
    found = equivariance.Equivariance(transform, 4)
    for seed in range(20):

        def encode(x, seed=seed):
            return noise(4, 8, x.shape[2] // 4, x.shape[3] // 4, seed=100 + seed)

        found.add(noise(4, 3, 64, 64), noise(4, 8, 16, 16, seed=seed), encode, None)
    null = {"shift_half_cell": 1.5, "scale_half": 1.25}.get(transform.name, 2)
    assert (found.encoder(), found.null()) == (pytest.approx(null, rel=0.05), pytest.approx(null, rel=0.05))


def test_images_on_their_own_grid_have_their_own_spectrum():
    seen = images(side=16)
    z = np.ascontiguousarray(seen.transpose(0, 3, 1, 2))
    rows = diagnose_array(z, channel_sums(z), Seen(np.arange(3, 9), seen[3:9]), np.arange(12), CPU).rows
    found = {row.variant: row for row in rows if row.diagnostic == "spectral_kl"}
    for setting in SETTINGS:
        row = found[f"normalised;{setting}"]
        assert row.n == 6
        same = pytest.approx(0, abs=1e-3)  # moments are of six images on one side, and of all on the other
        assert (row.value == same) == (setting.delta == 0)  # weights are of images alone
        assert row.null > 1e-3


def table_of(z: np.ndarray) -> pd.DataFrame:
    seen = images(min(len(z), 12))
    rows = diagnose_array(z, channel_sums(z), Seen(np.arange(len(seen)), seen), np.arange(len(z)) // 2, CPU)
    return as_table(rows.rows, "made", "tried", "family").set_index(["diagnostic", "variant"])


def test_a_table_has_every_number_beside_its_null():
    table = table_of((noise(60, 4, 32, 32).numpy() * [[[[3]], [[1]], [[1]], [[1]]]]).astype(np.float16))
    assert table.loc[("effective_rank", "normalised"), "value"] == pytest.approx(4, abs=0.01)
    assert table.loc[("effective_rank", "raw"), "value"] < 3
    assert table.loc[("sec", "normalised;tau=0.5"), "value"] == pytest.approx(496 / 1024, abs=0.01)
    assert table.loc[("sec", "normalised;tau=0.5"), "null"] == pytest.approx(496 / 1024, abs=0.01)
    assert set(table["n"]) <= {60, 12}


def test_what_cannot_be_measured_says_why():
    one = table_of(noise(60, 1, 4, 4).numpy().astype(np.float16))
    assert one.loc[("effective_rank", "normalised"), "value"] == "n/a (one channel)"
    assert one.loc[("sec", "normalised;tau=0.5"), "value"] == "n/a (a grid of 4)"
    thrice = table_of(noise(60, 1, 8, 8).repeat(1, 3, 1, 1).numpy().astype(np.float16))
    assert thrice.loc[("condition", "raw"), "value"] == "n/a (a channel follows from others)"
    flat = noise(60, 3, 8, 8).numpy().astype(np.float16)
    flat[:, 1] = 5
    constant = table_of(flat)
    assert constant.loc[("condition", "raw"), "value"] == "n/a (a constant channel)"
    few = table_of(noise(6, 3, 8, 8).numpy().astype(np.float16))
    assert few.loc[("twonn", "raw;dropped=0.1"), "value"] == "n/a (fewer than 20 groups)"
    cell = table_of(noise(60, 3, 1, 1).numpy().astype(np.float16))
    for key in (("spectral_kl", f"raw;{SETTINGS[0]}"), ("sec", "raw;tau=0.5"), ("lds", "raw;near=1,far=6")):
        assert cell.loc[key, "value"] == "n/a (a grid of 1)"
    six = table_of(noise(60, 3, 6, 6).numpy().astype(np.float16))
    assert six.loc[("radial_slope", "raw"), "value"] == "n/a (fewer than 3 wave numbers)"
    equal = table_of(np.repeat(noise(1, 3, 8, 8).numpy().astype(np.float16), 60, axis=0))
    for key in (("twonn", "raw;dropped=0.1"), ("mle_dimension", "raw")):
        assert tuple(equal.loc[key, ["value", "n"]]) == ("n/a (equal latents)", 0)
