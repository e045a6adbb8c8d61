"""`learnability check`: a line for all that a study needs, a round trip where weights are, an exit code."""

import numpy as np
import pytest
import torch
import yaml
from skimage.metrics import peak_signal_noise_ratio

from learnability import cli
from learnability.autoencoders.interface import load_autoencoder
from learnability.autoencoders.round_trip import round_trip
from learnability.commands import check as readiness
from learnability.study.configuration import read_config
from learnability.workflow import hub
from tests.autoencoders import build, save, write_dataset
from tests.unit.test_check import ROOTS

CPU = torch.device("cpu")
PHANTOM = {
    "label": "Echo", "format": "phantom", "modality": "echo", "groups": {"normal": 12, "defect": 6},
    "positive": "defect", "images_per_group": [1, 2], "size": 64, "seed": 1,
}  # fmt: skip


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study file of one phantom, one autoencoder whose weights are there, and one control; and its changes."""
    monkeypatch.setattr(hub, "why_missing", lambda *_: "the hub was asked")
    monkeypatch.setattr("learnability.commands.missing.why_missing", lambda *_: "the hub was asked")
    for name in ROOTS:
        monkeypatch.delenv(name, raising=False)

    def write(**changes):
        content = {
            "results": str(tmp_path / "results"),
            "image_size": 64,
            "classifier_size": 32,
            "study": {"datasets": ["mine"], "autoencoders": ["tiny", "pixel_unshuffle_8"], "folds": [0]},
            "datasets": {"mine": PHANTOM},
            "autoencoders": {"tiny": save("sd", tmp_path / "weights") | {"label": "Tiny"}},
            "recipes": {"image": {"init": "random"}, "latent": {"stem_patch": 1}},
        }
        for section, values in changes.items():
            content[section] |= values
        (tmp_path / "study.yaml").write_text(yaml.safe_dump(content))
        return tmp_path / "study.yaml"

    return write


def lines_of(path, images=0) -> dict[str, list]:
    lines: dict[str, list] = {}
    for line in readiness.examine(read_config(path), images):
        lines.setdefault(line.subject, []).append(line)
    return lines


def test_a_study_that_can_run_says_what_is_there_and_what_it_will_write(study):
    lines = lines_of(study())
    assert all(line.ready for found in lines.values() for line in found)
    assert "phantom (synthetic)" in lines["mine"][0].text
    assert "of 18 groups in 2 classes (from defect " in lines["mine"][0].text
    number = int(lines["mine"][0].text.split("(synthetic): ")[1].split()[0])
    written = [number * (latent + 3 * 32**2) / 1e6 for latent in (4 * 64 * 2, 192 * 64)]
    text = "latent 4 x 8 x 8, {:.1f} MB with reconstructions"
    assert lines["tiny"][0].text == "weights found; " + text.format(written[0])
    text = text.replace("4 x 8", "192 x 8")
    assert lines["pixel_unshuffle_8"][0].text == "needs no weights; " + text.format(written[1])
    # 64^2 and 32^2 pixels of three bytes; 4 x 8 x 8 of two bytes, 192 x 8 x 8 of one; two reconstructions.
    megabytes = (3 * 64**2 + 3 * 32**2 + 4 * 64 * 2 + 192 * 64 + 2 * 3 * 32**2) / 1e6
    assert f"{megabytes:.2f} MB an image" in lines["disk"][0].text
    assert torch.__version__ in lines["torch"][0].text


def test_what_table_3_and_fine_tuning_need_is_looked_at_too(study):
    part = {"dataset": "isic2019", "autoencoder": "tiny"}
    lines = lines_of(study(study={"autoencoders": ["tiny", "medvae_ft"], "efficiency": part}))
    assert lines["isic2019"][0].text.startswith("root ${ISIC2019_ROOT}: set the environment variable")
    assert "pretrained.vgg16: the hub was asked" in [line.text for line in lines["medvae_ft"]]


def test_what_is_missing_is_said_with_what_to_do_and_the_command_fails(study, capsys):
    path = study(
        study={"datasets": ["mine", "isic2019"], "autoencoders": ["tiny", "sd14", "medvae_ft"]},
        recipes={"image": {"init": "imagenet"}},
    )
    lines = lines_of(path)
    assert lines["isic2019"][0].text.startswith("root ${ISIC2019_ROOT}: set the environment variable")
    assert not lines["isic2019"][0].ready
    assert [line.text for line in lines["sd14"] if not line.ready] == ["the hub was asked"]
    assert not lines["medvae_ft"][0].ready
    assert [line.text for line in lines["image"]] == ["pretrained.resnet50: the hub was asked"]
    assert lines["tiny"][0].ready
    assert "isic2019" in lines["disk"][0].text
    with pytest.raises(SystemExit) as stop:
        cli.main(["check", "--configfile", str(path), "--images", "0"])
    assert stop.value.code == 1
    assert "the study cannot run yet" in capsys.readouterr().out


def test_a_disk_that_is_too_small_stops_the_study(study, monkeypatch):
    monkeypatch.setattr(readiness.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    assert not lines_of(study())["disk"][0].ready


def test_the_command_succeeds_and_shows_the_round_trip(study, capsys):
    cli.main(["check", "--configfile", str(study()), "--images", "3"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "The study can run." in printed
    assert "round trip of 3 images of mine at 64 px: PSNR " in printed
    assert "latent rms per channel" in printed


def test_weights_that_do_not_fit_are_found_by_the_round_trip(study, tmp_path):
    entry = save("sd", tmp_path / "other") | {"label": "Tiny", "channels": 16}
    found = lines_of(study(autoencoders={"tiny": entry}), images=1)["tiny"]
    assert found[-1].text == "autoencoders.tiny.channels is 16, but the weights have 4"
    assert not found[-1].ready


def images_of(tmp_path) -> np.ndarray:
    return np.load(write_dataset(tmp_path / "dataset") / "images.npy")


def test_the_round_trip_measures_what_diffusers_gives(tmp_path):
    images, model = images_of(tmp_path), build("sd")
    found = round_trip(load_autoencoder(save("sd", tmp_path / "weights"), CPU), {}, images, CPU)
    scores, latents = [], []
    for image in images:
        with torch.inference_mode():
            x = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1
            z = model.encode(x).latent_dist.mean.half().float()
            x_hat = ((model.decode(z).sample.clamp(-1, 1) + 1) * 127.5).round()[0].permute(1, 2, 0).numpy()
        latents.append(z)
        scores.append(peak_signal_noise_ratio(image, x_hat.astype(np.uint8), data_range=255))
    z = torch.cat(latents).numpy()
    assert found["psnr"] == pytest.approx(np.mean(scores), abs=0.01)
    np.testing.assert_allclose(found["mean"], z.mean(axis=(0, 2, 3)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["std"], z.std(axis=(0, 2, 3), ddof=1), rtol=1e-3)
    np.testing.assert_allclose(found["rms"], np.sqrt((z**2).mean(axis=(0, 2, 3))), rtol=1e-4)
    assert any("poor reconstructions" in warning for warning in found["warnings"])  # the weights are random


class UnitRange:
    """Perfect on images in [0, 1], where it clips; its third latent channel never changes."""

    channels, factor, latent_dtype, decodes, provenance = 4, 1, "float16", True, {}

    def encode(self, x):
        x = x.clamp(0, 1)
        return torch.cat([x[:, :2], torch.full_like(x[:, :1], 3.0), x[:, 2:]], dim=1)

    def decode(self, z):
        return z[:, [0, 1, 3]]


def test_an_input_range_that_is_not_ours_and_a_dead_channel_are_warned_of(tmp_path):
    warnings = round_trip(UnitRange(), {}, images_of(tmp_path), CPU)["warnings"]
    assert any(warning.startswith("input range: images in [0, 1] come back with") for warning in warnings)
    assert "latent channels [2] are constant" in warnings


class Flat:
    """Nothing but the mean of an image comes back: a blank image is identical, any other is poor."""

    channels, factor, latent_dtype, decodes, provenance = 3, 1, "float16", True, {}

    def encode(self, x):
        return x.mean(dim=(1, 2, 3), keepdim=True).expand(x.shape)

    def decode(self, z):
        return z


def test_a_blank_image_does_not_make_a_poor_autoencoder_lossless(tmp_path):
    images = images_of(tmp_path)
    poor = round_trip(Flat(), {}, images, CPU)
    found = round_trip(Flat(), {}, np.concatenate([np.full_like(images[:1], 255), images]), CPU)
    assert (found["psnr"], found["identical"]) == (poor["psnr"], 1)
    assert any("poor reconstructions" in warning for warning in found["warnings"])
    assert not any("input range" in warning for warning in found["warnings"])
    assert round_trip(Flat(), {}, np.full_like(images[:1], 255), CPU)["psnr"] == np.inf


@pytest.mark.parametrize("wrong", [False, True])
def test_a_scale_that_the_config_does_not_mean_is_warned_of(tmp_path, wrong):
    entry = save("sd", tmp_path / "weights")
    autoencoder, images = load_autoencoder(entry, CPU), images_of(tmp_path)
    spread = np.mean(round_trip(autoencoder, {}, images, CPU)["std"])
    autoencoder.model.register_to_config(scaling_factor=(20 if wrong else 1) / spread)
    warnings = round_trip(autoencoder, {}, images, CPU)["warnings"]
    assert any(warning.startswith("scale: ") for warning in warnings) == wrong
