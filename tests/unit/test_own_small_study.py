"""own_small.yaml: as it is for images in folders, or for a table by the lines in its comments."""

import re

import pytest

from learnability.commands.check import examine
from learnability.registry import is_control
from learnability.study.cells import all_cells, resolve_autoencoder
from learnability.study.configuration import ROOT, read_config
from learnability.study.recipes import pretrained_weights, resolve_recipe
from learnability.study.refusals import check_study
from learnability.workflow.hub import weights_to_fetch
from tests.autoencoders import save
from tests.downloads import save_image

OWN_SMALL = ROOT / "workflow/studies/own_small.yaml"
INSTEAD = "    # For a table with the columns image, diagnosis and patient, replace `format` and `root` by:\n"


@pytest.fixture
def brought(tmp_path, monkeypatch):
    """Images of three classes in folders, with a table beside them, and an autoencoder; the variables name both."""
    rows = ["image,diagnosis,patient"]
    for number in range(30):
        label = ("cyst", "stone", "tumour")[number % 3]
        save_image(tmp_path / "images" / label / f"patient{number}.png", 8 * number)
        save_image(tmp_path / "table/png" / f"{number}.png", 8 * number)
        rows.append(f"{number},{label},p{number // 2}")
    (tmp_path / "table/labels.csv").write_text("\n".join(rows) + "\n")
    save("sd", tmp_path / "weights")
    monkeypatch.setenv("OWN_IMAGES", str(tmp_path / "images"))
    monkeypatch.setenv("OWN_AUTOENCODER", str(tmp_path / "weights"))
    return tmp_path


def missing(config: dict) -> list[str]:
    return [f"{line.subject}: {line.text}" for line in examine(config, images_per_autoencoder=1) if not line.ready]


def test_it_can_run_as_it_stands(brought):
    assert missing(read_config(OWN_SMALL)) == []


def test_without_the_variables_it_says_which(monkeypatch):
    for name in ("OWN_IMAGES", "OWN_AUTOENCODER"):
        monkeypatch.delenv(name, raising=False)
    said = missing(read_config(OWN_SMALL))
    assert [name for name in ("OWN_IMAGES", "OWN_AUTOENCODER") if not any(name in text for text in said)] == []


def test_a_table_takes_the_place_of_the_folders(brought, monkeypatch):
    before, instead, after = OWN_SMALL.read_text(encoding="utf-8").partition(INSTEAD)
    assert instead
    before = re.sub(r"^    (?:format|root): .*\n", "", before, flags=re.MULTILINE)
    after = re.sub(r"^    # (?=\w+: )", "    ", after, flags=re.MULTILINE)
    (brought / "study.yaml").write_text(before + after)
    monkeypatch.setenv("OWN_IMAGES", str(brought / "table"))
    config = read_config(brought / "study.yaml")
    assert config["datasets"]["clinic"]["format"] == "table"
    assert missing(config) == []


def test_nothing_of_it_needs_a_network():
    config = read_config(OWN_SMALL)
    check_study(config)
    recipes = {cell["recipe"] for cell in all_cells(config)}
    assert len(recipes) >= 4
    assert [name for name in recipes if pretrained_weights(config, resolve_recipe(config, name))] == []
    own, *others = config["study"]["autoencoders"]
    assert own not in weights_to_fetch(config)
    assert not is_control(resolve_autoencoder(config, own))
    assert all(is_control(resolve_autoencoder(config, name)) for name in [*others, *config["study"]["controls"]])
