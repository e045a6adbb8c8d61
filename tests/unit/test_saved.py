"""A saved classifier equals the trained one to the bit; files that do not belong together are refused."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import learnability
from learnability import load_classifier
from learnability.classifiers import saved as saved_classifiers
from learnability.classifiers.classifier import build_classifier
from learnability.errors import InputError
from learnability.storage.checkpoints import write_tensors
from learnability.storage.contracts import read_json, write_json
from tests.networks import GRID, described, images

SOURCE = Path(__file__).parents[2] / "workflow" / "src"
KINDS = {
    "plain": {},
    "resnet": {"model": "resnet18", "head": "cosine"},
    "noise": {"stem_patch": 2, "film": True, "noise": GRID, "head": "cosine"},
    "unit": {"film": True, "noise": {"family": "flow", "draw": "uniform"}, "noise_unit": [[[1.0, 2], [3, 4]]] * 4},
}


def saved(folder: Path, **keys):
    """Train a classifier for two steps and save it as a run does."""
    torch.manual_seed(0)
    description = described(4, **keys)
    model = build_classifier(description).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(2):
        model(images(8, 32, 4) * 9, 0.5).square().sum().backward()
        optimiser.step()
    write_tensors(model.state_dict(), folder / "model.safetensors")
    write_json(description, folder / "model.json")
    return model.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_classifier_is_the_saved_one_to_the_byte(tmp_path, kind):
    model = saved(tmp_path, **KINDS[kind]).to(memory_format=torch.channels_last)
    before = torch.get_rng_state()
    again = load_classifier(tmp_path)
    assert torch.equal(torch.get_rng_state(), before)  # the user's random numbers are left alone
    assert not again.training
    assert again.classes == ["a", "b", "c"]
    z = images(4, 32, 4) * 50
    for sigma in (None, 0.3, torch.tensor([0.1, 1, 2, 3])):
        assert torch.equal(again(z, sigma), model(z, sigma))
    assert torch.equal(again.add_noise(z, torch.ones(4), z), model.add_noise(z, torch.ones(4), z))
    (tmp_path / "copy").mkdir()
    write_tensors(again.state_dict(), tmp_path / "copy" / "model.safetensors")
    first, second = (folder / "model.safetensors" for folder in (tmp_path, tmp_path / "copy"))
    assert first.read_bytes() == second.read_bytes()


def test_a_missing_or_broken_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"model.json does not exist; expected the folder of a trained classifier"):
        load_classifier(tmp_path)
    saved(tmp_path)
    weights, card = tmp_path / "model.safetensors", tmp_path / "model.json"
    content = weights.read_bytes()
    weights.write_bytes(content[:100])
    with pytest.raises(InputError, match=r"model.safetensors: not a whole safetensors file"):
        load_classifier(tmp_path)
    weights.unlink()
    with pytest.raises(InputError, match=r"model.safetensors does not exist"):
        load_classifier(str(tmp_path))
    weights.write_bytes(content)
    description = read_json(card)
    del description["film"]
    write_json(description, card)
    with pytest.raises(InputError, match=r"model.json: not the card of a classifier \(KeyError\('film'\)\)"):
        load_classifier(tmp_path)
    card.write_text("{")
    with pytest.raises(InputError, match=r"model.json: damaged, no JSON"):
        load_classifier(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": ["a", "b"]}, r"network.head.fc.bias is \(3,\), expected \(2,\); network.head.fc.weight is"),
        ({"film": True, "noise": GRID}, r"film.frequency is missing; film.phase is missing; .* more"),
        ({"head": "cosine"}, r"network.head.fc.bias is not part of the network"),
        ({"stem_patch": 2}, r"network.stem.0.weight is \(8, 4, 4, 4\), expected \(8, 4, 2, 2\)"),
    ],
)
def test_weights_of_another_classifier_are_refused(tmp_path, change, message):
    saved(tmp_path)
    write_json(described(4, **change), tmp_path / "model.json")
    with pytest.raises(InputError, match=rf"not the weights of the classifier that model.json describes \({message}"):
        load_classifier(tmp_path)


def test_weights_without_the_moments_of_the_input_are_refused(tmp_path):
    model = saved(tmp_path)
    save_file({k: v for k, v in model.state_dict().items() if k != "mean"}, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"\(mean is missing\)"):
        load_classifier(tmp_path)


def test_importing_the_package_does_not_wait_for_torch_until_a_classifier_is_asked_for():
    code = "import sys, learnability; print('torch' in sys.modules)"
    environment = {"PYTHONPATH": str(SOURCE), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
    assert learnability.load_classifier is saved_classifiers.load_classifier
    with pytest.raises(AttributeError, match="module 'learnability' has no attribute 'load_clasifier'"):
        _ = learnability.load_clasifier
