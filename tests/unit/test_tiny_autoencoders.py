"""The tiny stand-ins: the shipped files load and are good enough, and training them again works."""

import ast
import importlib.util
from pathlib import Path

import diffusers
import numpy as np
import pytest
import torch

from learnability.datasets.formats.phantom import draw
from learnability.datasets.formats.phantom_views import MODALITIES

SHIPPED = Path(__file__).parents[2] / "workflow" / "resources" / "tiny_autoencoders"
SCRIPT = importlib.util.spec_from_file_location("train_tiny_autoencoders", SHIPPED / "train.py")
tiny = importlib.util.module_from_spec(SCRIPT)
SCRIPT.loader.exec_module(tiny)
LATENT_SHAPES = {
    "tiny_sd14": (4, 8, 8),
    "tiny_flux1": (16, 8, 8),
    "tiny_flux2": (32, 8, 8),
    "tiny_medvae": (3, 16, 16),
}
LEAST_PSNR = 22.0


def load_shipped(name: str) -> torch.nn.Module:
    family = getattr(diffusers, tiny.ARCHITECTURES[name][0])
    model, loading = family.from_pretrained(SHIPPED / name, output_loading_info=True, local_files_only=True)
    assert not any(loading.values()), loading
    return model.eval()


def phantoms(modality: str, count: int = 16) -> np.ndarray:
    """Images (count, 64, 64, 3) uint8, every class in turn."""
    classes = MODALITIES[modality].classes
    images = [draw(modality, classes[i % len(classes)], 64, 11, i, 0) for i in range(count)]
    return np.stack([np.broadcast_to(image, (64, 64, 3)) for image in images])


def test_every_architecture_is_shipped_and_small():
    assert set(tiny.ARCHITECTURES) == set(LATENT_SHAPES)
    for name in LATENT_SHAPES:
        assert sum(path.stat().st_size for path in (SHIPPED / name).iterdir()) < 1.2e6


@pytest.mark.parametrize("name", list(LATENT_SHAPES))
def test_shipped_weights_load_and_reconstruct_each_modality(name):
    model = load_shipped(name)
    for modality in MODALITIES:
        images = phantoms(modality)
        x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.no_grad():
            z = model.encode(x).latent_dist.mode()
            x_hat = model.decode(z.half().float()).sample.clamp(-1, 1)
        assert z.shape == (16, *LATENT_SHAPES[name])
        decoded = ((x_hat + 1) * 127.5).round().permute(0, 2, 3, 1).numpy()
        errors = np.square(decoded - images.astype(float)).mean(axis=(1, 2, 3))
        psnr = 10 * np.log10(255**2 / errors).mean()
        assert psnr >= LEAST_PSNR, f"{name} on {modality}: {psnr:.2f} dB"


def test_training_repeats_to_the_byte_and_leaves_nothing_half_written(tmp_path):
    for folder in ("first", "second"):
        tiny.train_tiny("tiny_sd14", tmp_path / folder, steps=3, seed=1)
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()} for folder in ("first", "second")
    )
    assert first == second
    assert set(first) == {"config.json", "diffusion_pytorch_model.safetensors"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]


def test_training_replaces_an_empty_folder(tmp_path):
    (tmp_path / "weights").mkdir()
    tiny.train_tiny("tiny_medvae", tmp_path / "weights", steps=2, seed=0)
    assert (tmp_path / "weights" / "config.json").is_file()


def test_unknown_name_is_named():
    with pytest.raises(ValueError, match="'tiny_vqgan' is unknown; expected tiny_sd14"):
        tiny.build_tiny("tiny_vqgan")


def test_generic_images_are_in_range_repeatable_and_mixed():
    images = tiny.generic_images(32, 64, seed=3)
    assert images.shape == (32, 3, 64, 64)
    assert images.min() >= -1
    assert images.max() <= 1
    assert torch.equal(images, tiny.generic_images(32, 64, seed=3))
    assert not torch.equal(images, tiny.generic_images(32, 64, seed=4))
    grey = (images[:, 0] == images[:, 1]).flatten(1).all(dim=1)
    assert 0 < grey.sum() < 32


def test_generic_images_share_nothing_with_the_phantoms():
    tree = ast.parse(Path(tiny.__file__).read_text())
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not any(module.startswith("learnability") for module in modules)
