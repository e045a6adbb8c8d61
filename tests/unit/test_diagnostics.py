"""Numbers about latents against closed forms: white noise, fields of known power, planted ranks and dimensions."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.fft import dctn

from learnability.diagnostics import channels, classes, equivariance, neighbours, positions, similarity, spectra
from learnability.diagnostics.encoding import as_table, diagnose_array, diagnose_sample
from learnability.storage.channel_sums import channel_sums

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


def test_the_divergence_of_spectra_is_zero_to_itself_and_grows_with_the_slope():
    profiles = [spectra.radial_profile(spectra.dct(field(power)).square().mean(dim=(0, 1))) for power in (0, 1, 2)]
    near, far = (spectra.divergence(profiles[0], other) for other in profiles[1:])
    assert (spectra.divergence(profiles[0], profiles[0]), 0 < near < far) == (0, True)


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


def test_images_of_one_group_are_no_neighbours():
    once = noise(300, 6)
    features = torch.cat([once, once + 1e-3 * noise(300, 6, seed=1)])
    group = np.tile(np.arange(300), 2)
    alone = neighbours.ratios(neighbours.nearest(features, np.arange(600), 2)[0])
    grouped = neighbours.ratios(neighbours.nearest(features, group, 2)[0])
    assert neighbours.mle_dimension(alone) < 1 < 4 < neighbours.mle_dimension(grouped)


def test_neighbours_tell_planted_classes_and_nothing_of_dealt_ones():
    label, group = np.arange(400) % 2, np.arange(400) // 4
    features = noise(400, 5) + torch.from_numpy(label)[:, None] * 6
    rows = neighbours.nearest(features, group, 5)[1]
    assert neighbours.neighbour_consistency(rows, label, group) == pytest.approx(0.5)
    dealt = classes.labels_by_chance(np.arange(400) // 4 % 2, group)
    assert abs(neighbours.neighbour_consistency(rows, dealt, group)) < 0.05
    assert all(len(np.unique(dealt[group == one])) == 1 for one in range(100))


def test_shares_of_variance_by_hand():
    pooled = np.array([[0.0], [2.0], [10.0], [12.0]])
    assert classes.within_share(pooled, np.array([0, 0, 1, 1])) == pytest.approx(4 / 104)
    wide = np.random.default_rng(0).normal(0, 3, (4000, 2))
    spread = classes.within_class_spread(wide, np.zeros(4000, int))
    assert spread == pytest.approx(np.pi / 2 * 3, rel=0.03)
    assert classes.within_class_spread(wide[:3], np.zeros(3, int)) is None


def test_cells_of_smooth_fields_are_alike_when_near_and_those_of_noise_never():
    smooth = torch.cat([field(3.0, 32), field(3.0, 32)], dim=1)
    alike = positions.similarity_by_distance(smooth).tolist()
    assert positions.near_minus_far(alike) > 0.3
    assert positions.decay(alike) > 0.02
    apart = positions.similarity_by_distance(noise(40, 8, 32, 32)).tolist()
    assert abs(positions.near_minus_far(apart)) < 0.02
    assert positions.decay(apart[:7]) is None


def test_spaces_that_are_turned_into_each_other_are_alike_and_independent_ones_are_not():
    x = noise(200, 6)
    turned = x @ torch.linalg.qr(noise(6, 6, seed=1))[0]
    for function in (similarity.cka, similarity.cknna):
        assert function(x, turned) == pytest.approx(1)
        assert abs(function(x, noise(200, 6, seed=2))) < 0.1


class Average:
    """An encoder by the mean of 4 x 4 pixels: equivariant to all but sub-cell shifts. `skewed`: with a ramp, not."""

    channels, factor, decodes = 3, 4, True

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
    assert [row.value for row in rows if row.diagnostic == "posterior_noise_share"] == ["n/a (no posterior)"]


def test_unrelated_latents_have_the_error_of_the_null():
    found = equivariance.Equivariance(next(iter(equivariance.transforms(4, 64))), 4)
    for seed in range(20):
        unrelated = noise(4, 8, 16, 16, seed=100 + seed)
        found.add(noise(4, 3, 64, 64), noise(4, 8, 16, 16, seed=seed), lambda x, z=unrelated: z, None)
    assert found.encoder(1.0) == pytest.approx(2, rel=0.05)


def table_of(z: np.ndarray, label: bool = True) -> pd.DataFrame:
    samples = pd.DataFrame({"group": np.arange(len(z)) // 2})
    if label:
        samples["label"] = np.arange(len(z)) // 2 % 2
    rows = diagnose_array(z, channel_sums(z), images(), samples, CPU)
    return as_table(rows, "made", "tried", "family").set_index(["diagnostic", "variant"])


def test_a_table_has_every_number_beside_its_null():
    table = table_of((noise(60, 4, 32, 32).numpy() * [[[[3]], [[1]], [[1]], [[1]]]]).astype(np.float16))
    assert table.loc[("effective_rank", "normalised"), "value"] == pytest.approx(4, abs=0.01)
    assert table.loc[("effective_rank", "raw"), "value"] < 3
    assert table.loc[("sec", "normalised;tau=0.5"), "value"] == pytest.approx(0.48, abs=0.02)
    assert table.loc[("sec", "normalised;tau=0.5"), "null"] == pytest.approx(0.48, abs=0.02)
    assert set(table["n"]) <= {60}
    assert {"lnc", "within_share", "viv", "cka"} <= set(table.index.get_level_values("diagnostic"))
    assert "lnc" not in table_of(noise(60, 4, 16, 16).numpy().astype(np.float16), label=False).index.get_level_values(0)


def test_what_cannot_be_measured_says_why():
    one = table_of(noise(60, 1, 4, 4).numpy().astype(np.float16))
    assert one.loc[("effective_rank", "normalised"), "value"] == "n/a (one channel)"
    assert one.loc[("sec", "normalised;tau=0.5"), "value"] == "n/a (a grid of 4)"
    flat = noise(60, 3, 8, 8).numpy().astype(np.float16)
    flat[:, 1] = 5
    constant = table_of(flat)
    assert constant.loc[("condition", "raw"), "value"] == "n/a (a constant channel)"
    few = table_of(noise(6, 3, 8, 8).numpy().astype(np.float16))
    assert few.loc[("lnc", "raw;k=20"), "value"] == "n/a (fewer images than neighbours)"
    assert few.loc[("twonn", "raw"), "value"] == "n/a (fewer than 20 groups)"
