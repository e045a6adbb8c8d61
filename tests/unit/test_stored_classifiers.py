"""A classifier folder of version 0.1.0 loads and gives the same logits; tests/stored has three, with theirs.

They are files of that version and are not to be made again: where this test fails, `load_classifier` has to learn to
read them, or the interface gets a new number (docs/api.md).
"""

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from learnability import load_classifier
from tests.conftest import CHECKOUT

STORED = CHECKOUT / "tests/stored"
EXPECTED = json.loads((STORED / "expected.json").read_text(encoding="utf-8"))
NAMES = STORED / "conditioned/shapes.json"


def made_up(shapes: dict[str, list[int]]) -> dict[str, torch.Tensor]:
    """Weights of these names and shapes, scattered as at the start of a training, by arithmetic alone."""
    found = {}
    for number, (name, shape) in enumerate(shapes.items()):
        at = torch.arange(math.prod(shape), dtype=torch.float64)
        scattered = (torch.sin(at * 12.9898 + number * 78.233) * 43758.5453).frac().reshape(shape)  # in (-1, 1)
        one_each = name.endswith(("weight", "gamma")) and len(shape) == 1  # of a norm, or of a layer's scale
        found[name] = (1 + scattered / 2 if one_each else scattered * 1.7 / math.prod(shape[1:]) ** 0.5).float()
    return found


def folder_of(name: str, place: Path) -> Path:
    """The stored folder. If it holds only names and shapes, the weights are filled in at `place`."""
    if name != "conditioned":
        return STORED / name
    shutil.copy(STORED / name / "model.json", place)
    save_file(made_up(json.loads(NAMES.read_text(encoding="utf-8"))), place / "model.safetensors")
    return place


def inputs(card: dict) -> torch.Tensor:
    """Four inputs (4, C, h, w) around the classifier's own mean, one brighter and finer than the other."""
    shape = (card["in_channels"], *card["grid"])
    mean, std = (torch.tensor(card[key]).view(1, -1, 1, 1) for key in ("mean", "std"))
    waves = [torch.sin(torch.arange(math.prod(shape)) * 0.02 * (n + 1)).reshape(shape) + n - 1.5 for n in range(4)]
    return mean + std * torch.stack(waves)


def logits(folder: Path, sigma: float | None) -> list[list[float]]:
    card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    with torch.no_grad():
        return load_classifier(folder)(inputs(card), sigma).tolist()


@pytest.mark.parametrize("name", EXPECTED)
def test_a_folder_of_before_loads_with_the_same_logits(tmp_path, name):
    folder = folder_of(name, tmp_path)
    assert load_classifier(folder).classes == ["normal", "defect"]
    for sigma, expected in EXPECTED[name].items():
        found = logits(folder, None if sigma == "clean" else float(sigma))
        torch.testing.assert_close(torch.tensor(found), torch.tensor(expected), rtol=1e-4, atol=1e-6)


def test_inputs_and_noise_levels_have_logits_of_their_own():
    """Otherwise a change of the weights, of the normalisation or of the conditioning would not show."""
    levels = {name: torch.tensor([*by_level.values()]) for name, by_level in EXPECTED.items()}  # (levels, 4, 2)
    for name in ("image", "noisy"):
        assert (levels[name].amax(1) - levels[name].amin(1)).max() > 0.01, name
    # Made-up weights of two channels, of which a layer norm leaves the sign, show no more than the level.
    assert (levels["conditioned"][0] - levels["conditioned"][1]).abs().max() > 0.01
