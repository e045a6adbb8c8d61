"""MedVAE's own package computes what its converted checkpoints compute: run by `make test-parity`."""

import numpy as np
import pytest
import torch
from PIL import Image

from learnability.autoencoders.families.medvae import load_medvae
from learnability.autoencoders.families.medvae_keys import VARIANTS
from learnability.autoencoders.interface import load_autoencoder, scale_input

reason = "MedVAE's own package is not installed: `make test-parity` installs it into .venv-parity and runs this"
factory = pytest.importorskip("medvae.utils.factory", reason=reason)
from medvae.utils.loaders import load_2d  # noqa: E402
from medvae.utils.lora import LoraInjectedConv2d, inject_trainable_lora_extended  # noqa: E402
from omegaconf import OmegaConf  # noqa: E402

CPU = torch.device("cpu")
# tensors of the checkpoint, layers with LoRA, parameters of the autoencoder without LoRA, those of the stage-2 layers
PUBLISHED = {
    "medvae_4_1_2d": (212, 0, 55_279_755, 37_123),
    "medvae_4_3_2d": (312, 50, 55_312_063, 37_391),
    "medvae_4_4_2d": (212, 0, 55_325_927, 37_528),
    "medvae_8_1_2d": (256, 0, 83_607_691, 37_123),
    "medvae_8_4_2d": (376, 60, 83_653_863, 37_528),
}


def write_official(name: str, folder):
    """A checkpoint and a yaml as MedVAE publishes them, with random weights; every tensor differs from its start."""
    variant = VARIANTS[name]
    params = {
        "embed_dim": variant.channels,
        "ddconfig": {
            "double_z": True, "z_channels": variant.channels, "resolution": 256, "in_channels": variant.image_channels,
            "out_ch": variant.image_channels, "ch": 128, "ch_mult": [width // 128 for width in variant.widths],
            "num_res_blocks": 2, "attn_resolutions": [], "dropout": 0.0,
        },
    }  # fmt: skip
    model = factory.AutoencoderKL_2D(**params)
    if variant.lora:
        inject_trainable_lora_extended(model, {"ResnetBlock", "AttnBlock"}, r=4)
    with torch.no_grad():
        for tensor_name, tensor in model.named_parameters():
            tensor += torch.randn_like(tensor) * (0.02 if "lora" in tensor_name else 0.2 * tensor.std(correction=0))
            if tensor.ndim == 1:
                tensor += 0.1 * torch.randn_like(tensor)
    torch.save({"state_dict": model.state_dict()}, folder / variant.file)
    OmegaConf.save({"model": {"params": params}} if variant.lora else params, folder / "model.yaml")


@pytest.mark.parametrize("name", VARIANTS)
def test_a_converted_checkpoint_computes_what_the_package_computes(name, tmp_path):
    torch.manual_seed(0)
    write_official(name, tmp_path)
    variant, checkpoint = VARIANTS[name], tmp_path / VARIANTS[name].file
    theirs = factory.build_model(name, str(tmp_path / "model.yaml"), str(checkpoint)).eval()
    entry = {"class": "MedVAE", "variant": name, "source": str(tmp_path)}
    entry |= {"channels": variant.channels, "factor": variant.factor}
    ours, path = load_medvae(entry)
    assert path == checkpoint
    x = torch.rand(2, 3, 48, 64) * 2 - 1
    seen = x if variant.image_channels == 3 else x.mean(1, keepdim=True)
    with torch.inference_mode():
        z, posterior, stage_2 = theirs.compute_latent_proj(seen, sample_posterior=False)
        code = ours.encode(seen).latent_dist
        pairs = {
            "mean": (code.mean, posterior.mean),
            "logvar": (code.logvar, posterior.logvar),
            "decoding": (ours.decode(z).sample, theirs.decode(z)),
        }
        for stage, latent in ((1, z), (2, stage_2)):
            pairs[f"stage {stage}"] = (load_autoencoder(entry | {"latent_stage": stage}, CPU).encode(x), latent)
    difference = {key: (mine - its).abs().max().item() for key, (mine, its) in pairs.items()}
    largest = {key: its.abs().max().item() for key, (_, its) in pairs.items()}
    assert max(difference.values()) < 1e-4, difference
    assert min(largest.values()) > 0.1  # otherwise a small difference says nothing
    sizes = {key: parameter.numel() for key, parameter in theirs.named_parameters()}
    stage_2_size = sum(size for key, size in sizes.items() if key.startswith("channel_"))
    core_size = sum(size for key, size in sizes.items() if "lora" not in key) - stage_2_size
    layers = sum(isinstance(module, LoraInjectedConv2d) for module in theirs.modules())
    counts = (len(theirs.state_dict()), layers, core_size, stage_2_size)
    assert counts == PUBLISHED[name]
    assert sum(parameter.numel() for parameter in ours.parameters()) == core_size
    print(name, *(f"{key} {difference[key]:.1e} of {largest[key]:.2f}" for key in pairs), *counts, sep="  ")


@pytest.mark.parametrize("grey", [False, True])
def test_minmax_scales_an_image_as_the_package_does(grey, tmp_path):
    image = np.random.default_rng(0).integers(20, 200, (40, 48, 3), dtype=np.uint8)
    image[..., 1] = 77  # one value: its range is zero
    Image.fromarray(image).save(tmp_path / "image.png")
    theirs = load_2d(str(tmp_path / "image.png"), merge_channels=grey)
    ours = scale_input(torch.from_numpy(image).permute(2, 0, 1)[None], {"input": "minmax"})[0]
    ours = ours.mean(0, keepdim=True) if grey else ours
    torch.testing.assert_close(ours, torch.as_tensor(theirs), rtol=0, atol=1e-6)
