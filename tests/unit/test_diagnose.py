"""`learnability diagnose` on a folder of images and an autoencoder that the test saves."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from learnability import cli
from learnability.commands.diagnose import encoded, tables, with_weights
from learnability.diagnostics import encoding
from learnability.study.configuration import read_config
from tests.autoencoders import save


@pytest.fixture(autouse=True)
def one_thread_again():
    """The command takes all cores, and what a later test forks would wait for threads that it lacks."""
    yield
    torch.set_num_threads(1)


@pytest.fixture
def given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for i in range(24):
        path = tmp_path / "images" / ("benign", "malignant")[i % 2] / f"{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (40, 50, 3), np.uint8)).save(path)
    save("sd", tmp_path / "weights")
    return ["diagnose", "--autoencoder", "./weights", "--images", "images", "--size", "64"]


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
    assert "effective rank" in capsys.readouterr().out
    page = Path("diagnosis/diagnostics.html").read_text(encoding="utf-8")
    assert "24 images of 64 px, without labels" in page
    assert "posterior_noise_share" in page


@pytest.mark.parametrize(("changed", "message"), [
    ({"--images": "nowhere"}, "--images nowhere: no such folder"),
    ({"--autoencoder": "nothing"}, "expected a name of config.yaml"),
    ({"--number": "1"}, "at least 2 are needed"),
    ({"--autoencoder": "flux2"}, "not in results/weights/flux2, .* `hf download black-forest-labs/FLUX.2-dev vae/config"
     ".json vae/diffusion_pytorch_model.safetensors --revision 26af.* --local-dir ./flux2`, then set autoencoders"),
    ({"--autoencoder": "medvae_ft"}, "fine-tunes it, for each dataset; give medvae, or the folder"),
])  # fmt: skip
def test_what_it_cannot_diagnose_it_names(given, changed, message):
    given = [*given, "--number", "24"]
    for option, value in changed.items():
        given[given.index(option) + 1] = value
    with pytest.raises(SystemExit, match=message):
        cli.main(given)


def test_weights_that_a_study_fetched_are_read(given):
    config = read_config()
    folder = Path("results/weights/sd14")
    folder.mkdir(parents=True)
    (folder / "source.json").write_text("{}")
    entry = with_weights("sd14", config["autoencoders"]["sd14"], config)
    assert Path(entry["folder"]).resolve() == folder.resolve()


def test_a_stochastic_autoencoder_draws_for_each_image_by_its_name():
    class Noise:
        channels, factor, latent_dtype, stochastic = 3, 8, "float32", True

        def encode(self, x):
            return torch.randn(len(x), 3, x.shape[2] // 8, x.shape[3] // 8)

    images, names = np.zeros((6, 16, 16, 3), np.uint8), list("abcdef")
    z, variance = encoded("noise", Noise(), {}, images, names, torch.device("cpu"))
    assert (len(np.unique(z[:, 0, 0, 0])), variance) == (6, None)
    np.testing.assert_array_equal(encoded("noise", Noise(), {}, images[:2], names[4:], torch.device("cpu"))[0], z[4:])


def test_the_images_that_are_encoded_again_are_of_the_whole_folder(monkeypatch):
    seen = []
    monkeypatch.setattr(encoding, "SAMPLE", 8)
    monkeypatch.setattr(encoding, "diagnose_sample", lambda *given: seen.append(given[2]) or [])
    nothing = encoding.Described(np.ones(192), [], (torch.ones(1), torch.ones(1)))
    monkeypatch.setattr(encoding, "diagnose_array", lambda *given: seen.append(given[2].images) or nothing)
    images = np.arange(32, dtype=np.uint8)[:, None, None, None] * np.ones((1, 16, 16, 3), np.uint8)
    entry = {"class": "pixel_unshuffle", "role": "control", "channels": 192, "factor": 8}
    tables(images, [str(i) for i in range(32)], {"control": entry}, "made")
    assert [len(chosen) for chosen in seen] == [8, 8, 8]
    assert all((chosen == seen[0]).all() for chosen in seen)
    assert seen[0].max() >= 16


def test_a_size_that_the_factor_does_not_divide_is_refused(given):
    with pytest.raises(SystemExit, match="--size 60: expected a multiple of 8, the factor of weights"):
        cli.main([*given, "--size", "60"])
