"""The units of a generative pipeline, against what diffusers' own models state."""

import diffusers
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from learnability.autoencoders.interface import load_autoencoder
from learnability.autoencoders.latent_units import IDENTITY, pipeline_units, units_on_grid
from learnability.errors import InputError
from tests.autoencoders import BLOCKS, build, save

CPU = torch.device("cpu")


def in_units(z: torch.Tensor, pipeline: dict) -> np.ndarray:
    mean, std = units_on_grid(pipeline, z.shape[1])
    repeats = (1, z.shape[2] // mean.shape[1], z.shape[3] // mean.shape[2])
    return (z.numpy() - np.tile(mean, repeats)) / np.tile(std, repeats)


def test_scale_and_shift_are_those_of_the_models_configuration():
    z = torch.randn(2, 4, 6, 6)
    config = build("sd").config  # StableDiffusionPipeline: latents * scaling_factor
    np.testing.assert_allclose(in_units(z, pipeline_units(build("sd"))), z * config.scaling_factor, rtol=1e-5)
    z, config = torch.randn(2, 16, 6, 6), build("flux1").config  # FluxPipeline: (latents - shift) * scaling
    expected = (z - config.shift_factor) * config.scaling_factor
    np.testing.assert_allclose(in_units(z, pipeline_units(build("flux1"))), expected, rtol=1e-4, atol=1e-6)


def test_moments_per_channel_are_used_as_stable_diffusion_xl_uses_them():
    mean, std = (-1.6, 1.1, -2.3, 1.3), (8.4, 5.6, 4.2, 3.7)
    model = diffusers.AutoencoderKL(latent_channels=4, latents_mean=mean, latents_std=std, scaling_factor=0.5, **BLOCKS)
    latents = torch.randn(2, 4, 6, 6)  # StableDiffusionXLPipeline: latents * std / scaling_factor + mean is raw
    raw = latents * torch.tensor(std).view(1, 4, 1, 1) / 0.5 + torch.tensor(mean).view(1, 4, 1, 1)
    np.testing.assert_allclose(in_units(raw, pipeline_units(model)), latents, rtol=1e-4, atol=1e-5)


def test_flux2_is_normalised_as_its_own_batch_norm_does_it():
    model = build("flux2")
    model.bn.running_mean.normal_()
    model.bn.running_var.uniform_(0.5, 4)
    z = torch.randn(2, 32, 6, 4)
    expected = F.pixel_shuffle(model.bn.eval()(F.pixel_unshuffle(z, 2)), 2)  # packed for the batch norm, and back
    np.testing.assert_allclose(in_units(z, pipeline_units(model)), expected, rtol=1e-4, atol=1e-5)
    assert model.bn.eps == model.config.batch_norm_eps


def test_every_family_has_its_units(tmp_path):
    for name in ("sd", "flux1", "flux2"):
        entry = save(name, tmp_path / name)
        assert load_autoencoder(entry, CPU).pipeline == pipeline_units(build(name))
    packed = save("flux2", tmp_path / "packed") | {"layout": "packed", "channels": 128, "factor": 16}
    assert load_autoencoder(packed, CPU).pipeline == IDENTITY  # its latents are stored normalised
    for name in ("pixel_unshuffle", "enciphered", "area_downsample"):
        assert load_autoencoder({"class": name, "factor": 8, "channels": 3}, CPU).pipeline == IDENTITY
    assert pipeline_units(diffusers.AutoencoderKL(latent_channels=3, scaling_factor=None, **BLOCKS)) == IDENTITY


def test_values_are_arranged_as_pixel_unshuffle_packs_them():
    values = list(map(float, range(1, 9)))
    mean, std = units_on_grid({"mean": values, "std": [2.0]}, 2)
    assert mean.tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    assert std.tolist() == [[[2, 2], [2, 2]]] * 2
    packed = F.pixel_unshuffle(torch.from_numpy(mean.copy())[None], 2).flatten()
    assert packed.tolist() == values
    assert units_on_grid({"mean": [1.0, 2.0], "std": [1.0]}, 2)[0].tolist() == [[[1]], [[2]]]


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        ({"mean": [0.0] * 3, "std": [1.0]}, r"pipeline.mean has 3 values; a latent of 4 channels needs 1, 4 or 16"),
        ({"mean": [0.0], "std": [1.0, 1.0]}, r"pipeline.std has 2 values"),
        ({"mean": [0.0], "std": [0.0]}, r"std above 0"),
        ({"mean": [float("nan")], "std": [1.0]}, r"must be numbers"),
    ],
)
def test_units_that_do_not_fit_are_refused(pipeline, message):
    with pytest.raises(InputError, match=message):
        units_on_grid(pipeline, 4)
