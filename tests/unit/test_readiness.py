"""`learnability check`: a line for everything a study needs, a round trip if weights are there, an exit code."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from learnability import cli
from learnability.autoencoders.interface import load_autoencoder
from learnability.autoencoders.round_trip import round_trip
from learnability.commands import check as readiness
from learnability.study.configuration import read_config
from learnability.workflow import hub
from tests.autoencoders import as_input, build, save, write_dataset
from tests.drawn_files import png
from tests.unit.test_check import ROOTS

CPU = torch.device("cpu")
PHANTOM = {
    "label": "Echo", "format": "phantom", "modality": "echo", "groups": {"normal": 12, "defect": 6},
    "positive": "defect", "images_per_group": [1, 2], "size": 64, "seed": 1,
}  # fmt: skip


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study file of one phantom, one autoencoder with weights, and one control, with changes."""
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
        if "smallest gap" not in line.text:  # tests/unit/test_visible_gaps.py
            lines.setdefault(line.subject, []).append(line)
    return lines


def test_a_study_that_can_run_says_what_is_there_and_what_it_will_write(study):
    lines = lines_of(study())
    assert all(line.ready for found in lines.values() for line in found)
    assert "phantom (synthetic)" in lines["mine"][0].text
    assert "of 18 groups in 2 classes (from defect " in lines["mine"][0].text
    number = int(lines["mine"][0].text.split("(synthetic): ")[1].split()[0])
    sums = 2 * 8  # bytes a channel, of channel_sums.npy
    written = [number * (latent + 3 * 32**2) / 1e6 for latent in (4 * (64 * 2 + sums), 192 * (64 + sums))]
    text = "latent 4 x 8 x 8, {:.1f} MB with reconstructions"
    assert lines["tiny"][0].text == "weights found; " + text.format(written[0])
    text = text.replace("4 x 8", "192 x 8")
    assert lines["pixel_unshuffle_8"][0].text == "needs no weights; " + text.format(written[1])
    # 64^2 and 32^2 pixels of three bytes; 4 x 8 x 8 of two bytes, 192 x 8 x 8 of one; two reconstructions.
    megabytes = (3 * 64**2 + 3 * 32**2 + 4 * (64 * 2 + sums) + 192 * (64 + sums) + 2 * 3 * 32**2) / 1e6
    assert f"{megabytes:.2f} MB an image" in lines["disk"][0].text
    assert torch.__version__ in lines["torch"][0].text


def test_a_data_set_is_looked_at_once(study, monkeypatch):
    """Making its folds may take half a minute."""
    looked, whole = [], readiness.open_checked
    monkeypatch.setattr(readiness, "open_checked", lambda config, name: looked.append(name) or whole(config, name))
    assert any("round trip" in line.text or "PSNR" in line.text for line in lines_of(study(), images=1)["tiny"])
    assert looked == ["mine"]


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


def test_what_is_doubtful_in_a_table_is_said_before_anything_runs(study, tmp_path):
    rows = [f"x{i},{'ab'[i % 2]}{' ' * (i == 3)},{'big' if i < 30 else f'p{i}'}" for i in range(60)]
    (tmp_path / "clinic").mkdir()
    (tmp_path / "clinic/labels.csv").write_text("\n".join(["id,dx,patient", *rows, "y,a,P59", "z,b,NA"]) + "\n")
    Image.new("RGB", (8, 8)).save(tmp_path / "clinic/x.png")
    table = {
        "label": "Clinic", "format": "table", "root": str(tmp_path / "clinic"), "table": "labels.csv", "positive": "a",
        "image_column": "id", "image_path": "x.png", "label_column": "dx", "group_column": "patient",
    }  # fmt: skip
    (line,) = lines_of(study(datasets={"mine": table}))["mine"]
    assert "'NA' (1 row) as group" in line.text
    assert not line.ready
    first, *said = lines_of(study(datasets={"mine": table | {"missing_groups": ["NA"]}}))["mine"]
    assert first.ready
    assert all(line.ready and line.warning for line in said)
    assert [line.text.split(":")[0] for line in said] == [
        "1 value of 'dx' in the whole data set had blanks at the ends",
        "1 image of the whole data set with 'NA' as group",
        "1 set of values of 'group' alike but for case, separators or leading zeros, which are kept apart",
        "the largest group has 30 of 62 images (48%)",
    ]


def test_a_disk_that_is_too_small_stops_the_study(study, monkeypatch):
    monkeypatch.setattr(readiness.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    assert not lines_of(study())["disk"][0].ready


def clinic(root, number=60, coloured=(), **changes):
    """A table of images, each RGB; those in `coloured` have colour."""
    root.mkdir()
    rows = [f"x{i:02d},{'ab'[i % 2]},p{i}\n" for i in range(number)]
    (root / "labels.csv").write_text("id,diagnosis,patient\n" + "".join(rows))
    for i in range(number):
        Image.new("RGB", (64, 64), (200, 10, 10) if i in coloured else (90, 90, 90)).save(root / f"x{i:02d}.png")
    return {
        "label": "Clinic", "format": "table", "root": str(root), "table": "labels.csv", "image_column": "id",
        "image_path": "{id}.png", "label_column": "diagnosis", "group_column": "patient", "positive": "a",
    } | changes  # fmt: skip


@pytest.mark.parametrize("channels", [1, 3])
def test_colour_that_would_become_grey_is_a_warning(study, tmp_path, channels):
    entry = clinic(tmp_path / "clinic", number=40, coloured=(2, 11), channels=channels)
    found = lines_of(study(datasets={"mine": entry}), images=2)["mine"]
    texts = [line.text for line in found if line.warning]
    expected = ["colour in 2 of 40 images looked at, which `channels: 1` makes grey; `channels: 3` keeps it"]
    assert texts == (expected if channels == 1 else [])
    assert all(line.ready for line in found)


def test_grey_files_with_three_channels_are_no_warning(study, tmp_path):
    found = lines_of(study(datasets={"mine": clinic(tmp_path / "clinic", channels=1)}))["mine"]
    assert len(found) == 1


@pytest.mark.parametrize(("allowed", "ready"), [(0, False), (1, True)])
def test_images_that_cannot_be_read_are_named_and_not_raised(study, tmp_path, allowed, ready):
    entry = clinic(tmp_path / "clinic", max_bad_images=allowed)
    (tmp_path / "clinic/x00.png").write_bytes(png(np.zeros((8, 8, 3), np.uint16), 2))
    lines = lines_of(study(datasets={"mine": entry}), images=3)
    (line,) = lines["mine"][1:]
    assert f"1 image cannot be read, and max_bad_images is {allowed}" in line.text
    assert "x00.png: 16 bits a channel; expected 8 bits a channel" in line.text
    assert line.text.endswith("Files looked for: 60, read: 50")
    assert (line.ready, line.warning) == (ready, ready)
    assert "round trip of 2 images of mine" in " ".join(line.text for line in lines["tiny"])


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
    found = round_trip("tiny", load_autoencoder(save("sd", tmp_path / "weights"), CPU), {}, images, CPU)
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


OWN = """
import torch
import torch.nn.functional as F

class Blocks:
    # Takes pixels in the range `wanted`, gives them back in `given`, and clips, as a network saturates.
    def __init__(self, wanted="[-1, 1]", given="[-1, 1]", strict=False):
        self.wanted, self.given, self.strict = RANGES[wanted], RANGES[given], strict
    def encode(self, x):
        low, high = self.wanted
        if self.strict and not low <= x.min() <= x.max() <= high:
            raise ValueError("pixels out of range")
        return F.pixel_unshuffle(((x.clamp(low, high) - low) / (high - low) * 2 - 1), 2)
    def decode(self, z):
        low, high = self.given
        return (F.pixel_shuffle(z, 2).clamp(-1, 1) + 1) / 2 * (high - low) + low

class Dead(Blocks):
    def encode(self, x):
        z = super().encode(x)
        z[:, 2] = 3.0
        return z

RANGES = {"[-1, 1]": (-1, 1), "[0, 1]": (0, 1), "[0, 255]": (0, 255)}
"""


@pytest.fixture
def blocks(own_module):
    own_module("my_blocks", OWN)
    return {"label": "Mine", "role": "family", "class": "my_blocks:Blocks", "channels": 12, "factor": 2}


def warnings_of(entry, images) -> list[str]:
    return round_trip("mine", load_autoencoder(entry, CPU), entry, images, CPU)["warnings"]


RANGES = ["[-1, 1]", "[0, 1]", "[0, 255]"]


@pytest.mark.parametrize("scaling", ["fixed", "minmax"])
@pytest.mark.parametrize("given", RANGES)
@pytest.mark.parametrize("wanted", RANGES)
def test_a_wrong_range_of_the_input_of_the_output_and_of_both_is_named_and_no_other(
    blocks, tmp_path, wanted, given, scaling
):
    entry = blocks | {"options": {"wanted": wanted, "given": given}, "input": scaling}
    images = images_of(tmp_path)
    images[0] = 0  # one that is black in every range counts for no more than another
    found = [warning for warning in warnings_of(entry, images) if "poor" not in warning]
    input_hint = [f"input range: images in {wanted} come back with "] if wanted != RANGES[0] else []
    output_hint = [f"output range: reconstructions taken as {given} have "] if given != RANGES[0] else []
    expected = input_hint + output_hint
    assert len(found) == len(expected), found
    assert all(map(str.startswith, found, expected)), found


def test_a_class_that_refuses_other_ranges_is_asked_all_the_same(blocks, tmp_path):
    images = images_of(tmp_path)
    assert warnings_of(blocks | {"options": {"strict": True}}, images) == []
    hint = warnings_of(blocks | {"options": {"strict": True, "given": "[0, 1]"}}, images)[-1]
    assert hint.startswith("output range: ")
    assert hint.endswith("end decode with 2 * x - 1")


def test_following_the_advice_mends_it(blocks, tmp_path):
    (tmp_path / "my_blocks.py").write_text(
        OWN.replace("low, high = self.wanted", "low, high = self.wanted; x = x / 2 + 0.5").replace(
            "        return (F.pixel_shuffle(z, 2).clamp(-1, 1) + 1) / 2 * (high - low) + low",
            "        x = (F.pixel_shuffle(z, 2).clamp(-1, 1) + 1) / 2 * (high - low) + low\n        return 2 * x - 1",
        )
    )
    entry = blocks | {"options": {"wanted": "[0, 1]", "given": "[0, 1]"}}
    assert warnings_of(entry, images_of(tmp_path)) == []


def test_a_dead_channel_is_warned_of(blocks, tmp_path):
    assert "latent channels [2] are constant" in warnings_of(blocks | {"class": "my_blocks:Dead"}, images_of(tmp_path))


def test_the_command_shows_a_wrong_output_range_and_refuses_what_is_random(blocks, study, tmp_path):
    (tmp_path / "my_blocks.py").write_text(
        OWN + "\nclass Drawn(Blocks):\n    def encode(self, x):\n        z = super().encode(x)\n"
        "        return z + 0.1 * torch.randn_like(z)\n"
    )
    wrong, drawn = blocks | {"options": {"given": "[0, 1]"}}, blocks | {"class": "my_blocks:Drawn"}
    path = study(
        study={"autoencoders": ["wrong", "drawn", "meant"]},
        autoencoders={"wrong": wrong, "drawn": drawn, "meant": drawn | {"stochastic": True}},
    )
    lines = lines_of(path, images=2)
    assert [line.text.partition(":")[0] for line in lines["wrong"] if line.warning][-1] == "output range"
    assert not lines["drawn"][-1].ready
    assert "encode is random" in lines["drawn"][-1].text
    assert all(line.ready for line in lines["meant"])


def stated(entry, **values) -> dict:
    """The entry, with other values in its config.json."""
    path = Path(entry["source"], "config.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return entry


class Flat:
    """Only the mean of an image comes back: a blank image is identical, any other is poor."""

    channels, factor, latent_dtype, decodes, provenance, stochastic = 3, 1, "float16", True, {}, False

    def encode(self, x):
        return x.mean(dim=(1, 2, 3), keepdim=True).expand(x.shape)

    def decode(self, z):
        return z


def test_a_blank_image_does_not_make_a_poor_autoencoder_lossless(tmp_path):
    images = images_of(tmp_path)
    poor = round_trip("mine", Flat(), {}, images, CPU)
    found = round_trip("mine", Flat(), {}, np.concatenate([np.full_like(images[:1], 255), images]), CPU)
    assert (found["psnr"], found["identical"]) == (poor["psnr"], 1)
    assert any("poor reconstructions" in warning for warning in found["warnings"])
    assert not any("input range" in warning for warning in found["warnings"])
    assert round_trip("mine", Flat(), {}, np.full_like(images[:1], 255), CPU)["psnr"] == np.inf


@pytest.mark.parametrize("wrong", [False, True])
def test_a_scale_that_the_config_does_not_mean_is_warned_of(tmp_path, wrong):
    entry, images = save("sd", tmp_path / "weights"), images_of(tmp_path)
    spread = np.mean(round_trip("tiny", load_autoencoder(entry, CPU), {}, images, CPU)["std"])
    warnings = warnings_of(stated(entry, scaling_factor=(20 if wrong else 1) / float(spread)), images)
    assert any(warning.startswith("scale: ") for warning in warnings) == wrong


@pytest.mark.parametrize("wrong", [False, True])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_the_scale_is_that_of_the_study_also_where_each_channel_has_its_own(tmp_path, scale, wrong):
    """With latents_mean and latents_std a pipeline sees (z - mean) * scaling_factor / std, the units of the noise."""
    entry, images = save("sd", tmp_path / "weights"), images_of(tmp_path)
    found = round_trip("tiny", load_autoencoder(entry, CPU), {}, images, CPU)
    std = [value * scale * (20 if wrong else 1) for value in found["std"]]
    stated(entry, scaling_factor=scale, latents_mean=found["mean"], latents_std=std)
    warnings = warnings_of(entry, images)
    assert any(warning.startswith("scale: ") for warning in warnings) == wrong
    if wrong:
        assert "standard deviation 0.05" in next(warning for warning in warnings if warning.startswith("scale: "))


@pytest.mark.parametrize("wrong", [False, True])
def test_the_scale_of_a_batch_norm_over_packed_positions_is_read_too(tmp_path, wrong):
    entry, images = save("flux2", tmp_path / "weights"), images_of(tmp_path)
    with torch.inference_mode():
        z = load_autoencoder(entry, CPU).encode(as_input(images))
    model, packed = build("flux2"), torch.nn.functional.pixel_unshuffle(z, 2)
    model.bn.running_mean.copy_(packed.mean(dim=(0, 2, 3)))
    model.bn.running_var.copy_(packed.var(dim=(0, 2, 3)) * (20**2 if wrong else 1))
    model.save_pretrained(tmp_path / "weights")
    assert any(warning.startswith("scale: ") for warning in warnings_of(entry, images)) == wrong
