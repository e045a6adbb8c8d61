"""`learnability diagnose` on a folder of images and an autoencoder that the test saves."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from learnability import cli
from tests.autoencoders import save


@pytest.fixture
def given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for i in range(24):
        Image.fromarray(random.integers(0, 256, (40, 50, 3), np.uint8)).save(tmp_path / "images" / f"{i:02d}.png")
    save("sd", tmp_path / "weights")
    (tmp_path / "small.yaml").write_text("image_size: 64\nclassifier_size: 32\n")
    return ["diagnose", "--autoencoder", "./weights", "--images", "images", "--configfile", "small.yaml"]


def test_an_autoencoder_stands_beside_the_images_and_both_controls(given, capsys):
    cli.main(given)
    table = pd.read_csv("diagnosis/diagnostics.csv")
    assert list(table.columns) == ["dataset", "autoencoder", "role", "diagnostic", "variant", "value", "null", "n"]
    assert list(table["autoencoder"].unique()) == ["images", "weights", "pixel_unshuffle_8", "enciphered_8"]
    by_name = table.set_index(["autoencoder", "diagnostic", "variant"])["value"]
    assert float(by_name["enciphered_8", "equivariance_encoder", "normalised;transform=flip"]) == pytest.approx(
        2, abs=0.1
    )
    assert 0 < float(by_name["weights", "posterior_noise_share", "raw"]) < 1
    assert not set(table["diagnostic"]) & {"lnc", "within_share", "viv"}
    assert "effective rank" in capsys.readouterr().out
    page = Path("diagnosis/diagnostics.html").read_text(encoding="utf-8")
    assert "24 images of 64 px, without labels" in page
    assert "posterior_noise_share" in page


@pytest.mark.parametrize(("changed", "message"), [
    ({"--images": "nowhere"}, "nowhere does not exist"),
    ({"--autoencoder": "nothing"}, "expected a name of config.yaml"),
    ({"--number": "1"}, "at least 2 are needed"),
])  # fmt: skip
def test_what_it_cannot_diagnose_it_names(given, changed, message):
    given = [*given, "--number", "24"]
    for option, value in changed.items():
        given[given.index(option) + 1] = value
    with pytest.raises(SystemExit, match=message):
        cli.main(given)


def test_an_image_size_that_the_factor_does_not_divide_is_refused(given, tmp_path):
    (tmp_path / "small.yaml").write_text("image_size: 60\nclassifier_size: 30\n")
    with pytest.raises(SystemExit, match="image_size 60 is not a multiple of the factor 8 of weights"):
        cli.main(given)
