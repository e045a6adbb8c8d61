"""Converting a pipeline's latents to raw ones and back, against diffusers' own packing and scaling."""

import ast
from pathlib import Path

import diffusers
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from learnability.autoencoders.latent_units import IDENTITY, pipeline_units
from learnability.errors import InputError
from learnability.generation.conversion import to_pipeline, to_raw
from tests.autoencoders import build


def diffusers_method(pipeline: str, name: str):
    """A static method of a pipeline, taken from diffusers' source: importing the pipeline would need transformers."""
    source = Path(diffusers.__file__).with_name("pipelines") / f"{pipeline}.py"
    nodes = ast.walk(ast.parse(source.read_text(encoding="utf-8")))
    method = next(node for node in nodes if isinstance(node, ast.FunctionDef) and node.name == name)
    method.decorator_list, method.returns = [], None
    for argument in method.args.args:
        argument.annotation = None
    scope = {"torch": torch}
    exec(compile(ast.Module([method], []), str(source), "exec"), scope)
    return scope[name]


@pytest.fixture
def flux2():
    model = build("flux2")
    model.bn.running_mean.normal_()
    model.bn.running_var.uniform_(0.5, 4)
    return model


def test_stable_diffusions_latents_are_raw_after_the_division_before_its_decoder():
    model, latents = build("sd"), torch.randn(2, 4, 6, 5)
    torch.testing.assert_close(to_raw(latents, pipeline_units(model), 4), latents / model.config.scaling_factor)


def test_flux_tokens_are_raw_after_unpacking_scaling_and_shifting():
    model, tokens = build("flux1"), torch.randn(2, 24, 64)
    unpacked = diffusers_method("flux/pipeline_flux", "_unpack_latents")(tokens, 64, 96, 8)  # 4 x 6 tokens
    expected = unpacked / model.config.scaling_factor + model.config.shift_factor
    torch.testing.assert_close(to_raw(tokens, pipeline_units(model), 16, (4, 6)), expected)
    packed = diffusers_method("flux/pipeline_flux", "_pack_latents")(unpacked, 2, 16, 8, 12)
    torch.testing.assert_close(packed, to_pipeline(unpacked, IDENTITY, packed=True, tokens=True))


@pytest.mark.parametrize("tokens", [True, False])
def test_flux2_is_raw_after_the_inverse_of_its_batch_norm_and_unpatchify(flux2, tokens):
    z = torch.randn(2, 32, 8, 8)
    patched = diffusers_method("flux2/pipeline_flux2", "_patchify_latents")(z)
    latents = flux2.bn.eval()(patched)  # (2, 128, 4, 4)
    if tokens:
        latents = diffusers_method("flux2/pipeline_flux2", "_pack_latents")(latents)
    units = pipeline_units(flux2)
    torch.testing.assert_close(to_raw(latents, units, 32), z, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(to_pipeline(z, units, packed=True, tokens=tokens), latents, rtol=1e-4, atol=1e-5)


def test_latents_stored_as_flux2s_transformer_sees_them_are_raw_already(flux2):
    stored = torch.randn(2, 128, 4, 4)
    assert torch.equal(to_raw(stored, IDENTITY, 128), stored)
    tokens = stored.flatten(2).transpose(1, 2)  # (2, 16, 128)
    assert torch.equal(to_raw(tokens, IDENTITY, 128), stored)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("tokens", [True, False])
def test_there_and_back(packed, tokens, flux2):
    z = torch.randn(2, 32, 6, 6)
    for units in (pipeline_units(flux2), {"mean": [0.1159], "std": [1 / 0.3611]}):
        latents = to_pipeline(z, units, packed, tokens)
        torch.testing.assert_close(to_raw(latents, units, 32), z, rtol=1e-4, atol=1e-5)


def test_a_gradient_passes_both_ways():
    latents = torch.randn(1, 4, 16, requires_grad=True)
    units = {"mean": [1.0], "std": np.arange(1.0, 5).tolist()}
    to_raw(latents, units, 4).sum().backward()
    expected = torch.arange(1.0, 5).repeat_interleave(4).expand(1, 4, 16)  # 4 c + 2 i + j belongs to channel c
    assert torch.equal(latents.grad, expected)
    z = torch.ones(1, 4, 2, 2, requires_grad=True)
    to_pipeline(z, units).sum().backward()
    assert torch.equal(F.pixel_unshuffle(z.grad, 2).flatten(), 1 / expected[0, 0])


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 5, 8, 8), r"latents \(2, 5, 8, 8\) do not fit; expected \(N, C, h, w\) with C 4, or 16 where 2 x 2"),
        ((2, 9, 5), r"latents \(2, 5, 3, 3\) do not fit"),
        ((2, 12, 16), r"12 tokens form no grid of 3 x 3; give `grid`"),
        ((4, 8), r"latents \(4, 8\) do not fit"),
    ],
)
def test_latents_that_are_no_latents_of_this_classifier_are_refused(shape, message):
    with pytest.raises(InputError, match=message):
        to_raw(torch.zeros(shape), IDENTITY, 4)


def test_a_grid_without_whole_blocks_is_refused(flux2):
    with pytest.raises(InputError, match="a latent grid of 5 x 6 has no whole blocks of 2 x 2"):
        to_raw(torch.zeros(1, 32, 5, 6), pipeline_units(flux2), 32)
