"""`learnability check` with autoencoders that take no images, or raise: each gets a line, and so do all others."""

import numpy as np
import pytest
import torch

from learnability.autoencoders.families.diffusers_weights import missing_weights
from learnability.commands.check_autoencoders import examine_autoencoder
from learnability.commands.lines import lines_of
from tests.autoencoders import BLOCKS, build, save
from tests.unit.test_readiness import lines_of as examined
from tests.unit.test_readiness import study  # noqa: F401  (a fixture)

VIDEO = {"block_out_channels": (8, 8, 8, 8), "layers_per_block": 1, "norm_num_groups": 4}
OF_NO_IMAGES = {
    "AutoencoderOobleck": (
        {"encoder_hidden_size": 8, "downsampling_ratios": [2, 2], "channel_multiples": [1, 2], "decoder_channels": 8,
         "decoder_input_channels": 8},
        "takes audio, not images",
    ),
    "AutoencoderKLCogVideoX": (VIDEO, "takes video, not images"),
    "AutoencoderKLTemporalDecoder": (
        {key: BLOCKS[key] for key in ("down_block_types", "block_out_channels", "layers_per_block")}
        | {"block_out_channels": (32, 32, 32, 32)},
        "takes video, not images",
    ),
    "AutoencoderKL": (BLOCKS | {"in_channels": 5, "out_channels": 5}, "takes images of 5 channels, not images of 3"),
}  # fmt: skip


@pytest.mark.parametrize("kind", OF_NO_IMAGES)
def test_an_autoencoder_that_takes_no_images_has_a_line_and_so_has_everything_else(study, tmp_path, kind):  # noqa: F811
    import diffusers

    arguments, expected = OF_NO_IMAGES[kind]
    getattr(diffusers, kind)(**arguments).save_pretrained(tmp_path / "other")
    entry = {"label": "Other", "role": "family", "class": kind, "source": str(tmp_path / "other")}
    path = study(
        study={"autoencoders": ["other", "tiny"]}, autoencoders={"other": entry | {"channels": 8, "factor": 8}}
    )
    lines = examined(path, images=1)
    assert [line.ready for line in lines["other"]] == [True, False]
    assert expected in lines["other"][1].text
    assert any("round trip of 1 image" in line.text for line in lines["tiny"])
    assert lines["torch"][0].ready


def test_the_cpu_encodes_where_it_is_asked_for(study, monkeypatch):  # noqa: F811
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)  # a CUDA call would raise an error
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "A card")
    monkeypatch.setenv("LEARNABILITY_DEVICE", "cpu")
    assert all(line.ready for line in examined(study(), images=1)["tiny"])


@pytest.mark.parametrize(("kind", "expected"), [("AutoencoderOobleck", "audio"), ("AutoencoderKLWan", "video")])
def test_a_class_of_no_images_is_known_before_its_weights_are_fetched(study, monkeypatch, kind, expected):  # noqa: F811
    for module in ("missing", "check_autoencoders"):
        monkeypatch.setattr(f"learnability.commands.{module}.check_hub", lambda *_: [])
    entry = {"label": "Other", "role": "family", "class": kind, "source": "owner/name", "channels": 8, "factor": 8}
    lines = examined(study(study={"autoencoders": ["other"]}, autoencoders={"other": entry}), images=1)["other"]
    assert [line.ready for line in lines] == [True, False]
    assert lines[1].text.startswith(f"{kind} takes {expected}, not images")


OWN = """
import torch
import torch.nn.functional as F

class Blocks:
    def __init__(self, wrong=""):
        self.wrong = wrong
        if wrong == "constructor":
            raise KeyError("no such preset")
        if wrong == "exit":
            raise SystemExit(3)
    def encode(self, x):
        if self.wrong == "encode":
            raise ZeroDivisionError("of my own")
        if self.wrong == "side" and x.shape[2] != 512:
            raise ValueError("512 pixels, please")
        z = F.pixel_unshuffle(x, 2)
        return z[:, :, ::2] if self.wrong == "oblong" else {"z": z} if self.wrong == "dictionary" else z
    def decode(self, z):
        if self.wrong == "decode":
            raise AttributeError("no decoder today")
        x = F.pixel_shuffle(z, 2)
        return {"half": x[:, :, ::2, ::2], "grey": x[:, :1]}.get(self.wrong, x)
"""


@pytest.fixture
def own(own_module):
    """A class of one's own, as an entry."""
    own_module("my_own", OWN)
    return {"label": "Mine", "role": "family", "class": "my_own:Blocks", "channels": 12, "factor": 2}


def of_own(entry: dict) -> dict:
    """A configuration of this autoencoder alone."""
    sizes = {"image_size": 64, "classifier_size": 32, "study": {"autoencoders": ["mine"], "recipes": {}}}
    return {"autoencoders": {"mine": entry}, "pretrained": {}, "results": "results"} | sizes


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ("constructor", "KeyError: 'no such preset' (my_own.py, line 9)"),
        ("exit", "SystemExit: 3 (my_own.py, line 11)"),
        ("encode", "ZeroDivisionError: of my own [encode was given a grey image 1 x 3 x 64 x 64, "),
        ("side", "ValueError: 512 pixels, please [encode was given a grey image 1 x 3 x 64 x 64, "),
        ("oblong", "a tensor of shape (1, 12, 16, 32) of a grey image 1 x 3 x 64 x 64; expected a square latent"),
        ("dictionary", "encode returned dict of a grey image"),
        ("decode", "AttributeError: no decoder today (my_own.py, line 21)"),
        ("half", "decode of autoencoder mine returned (2, 3, 32, 32); expected (2, 3, 64, 64)"),
        ("grey", "decode of autoencoder mine returned (2, 1, 64, 64); expected (2, 3, 64, 64)"),
    ],
)
def test_a_class_of_ones_own_may_raise_whatever_it_likes(own, wrong, expected):
    """It may also do so when no image of a dataset is at hand and noise is encoded."""
    config = of_own(own | {"options": {"wrong": wrong}})
    noise = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    for origin in ("mine", ""):
        lines = lines_of("mine", examine_autoencoder, config, "mine", noise, origin, 0)
        assert [line.ready for line in lines] == [True, False]
        assert expected in lines[1].text


def test_all_else_is_said_beside_a_class_that_raises(own, study):  # noqa: F811
    path = study(
        study={"datasets": ["isic2019"], "autoencoders": ["mine", "tiny"]},
        autoencoders={"mine": own | {"options": {"wrong": "exit"}}},
    )
    lines = examined(path, images=2)
    assert not lines["mine"][1].ready
    assert lines["tiny"][1].text.startswith("encodes noise, and again the same; no image of a dataset is at hand")
    assert lines["torch"][0].ready


@pytest.mark.parametrize(
    ("files", "variant", "expected"),
    [
        (["diffusion_pytorch_model.fp16.safetensors"], None, "write `variant: fp16`"),
        (
            ["diffusion_pytorch_model.bin", "diffusion_pytorch_model.fp16.safetensors"],
            None,
            "There is diffusion_pytorch_model.fp16.safetensors: write `variant: fp16`",
        ),
        (["diffusion_pytorch_model.safetensors"], "fp16", "leave `variant` out"),
        (
            ["diffusion_pytorch_model-00001-of-00002.safetensors", "diffusion_pytorch_model.safetensors.index.json"],
            None,
            "There is diffusion_pytorch_model-00001-of-00002.safetensors; make one file of it by `python -c",
        ),
        (["diffusion_pytorch_model.bin"], None, "There is diffusion_pytorch_model.bin; make one file of it"),
    ],
)
def test_weights_that_lie_otherwise_are_named_with_what_to_write(tmp_path, files, variant, expected):
    for name in ["config.json", *files]:
        (tmp_path / name).write_bytes(b"{}")
    entry = {"class": "AutoencoderKL", "source": str(tmp_path), "variant": variant}
    message = missing_weights(entry)
    assert "does not exist; expected the weights of AutoencoderKL there. " in message
    assert expected in message
    (tmp_path / "elsewhere").mkdir()
    for name in ["config.json", *files]:
        (tmp_path / name).rename(tmp_path / "elsewhere" / name)
    assert missing_weights(entry).endswith("elsewhere has a config.json: write `subfolder: elsewhere`")


@pytest.mark.parametrize("options", [{"max_shard_size": "1kB"}, {"safe_serialization": False}])
def test_the_command_makes_weights_that_are_read(tmp_path, options, monkeypatch):
    """Weights in parts or in a pickle become the one file that is expected."""
    build("sd").save_pretrained(tmp_path / "parts", **options)
    entry = save("sd", tmp_path / "whole") | {"source": str(tmp_path / "parts")}
    code = missing_weights(entry).split('python -c "')[1].split('"`')[0]
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    assert missing_weights(entry | {"source": str(tmp_path / "NEW")}) is None


def test_a_bare_look_that_raises_is_a_line():
    def look():
        raise RuntimeError("a\nlong\n" + "x" * 900)

    (line,) = lines_of("mine", look)
    assert not line.ready
    assert line.text.startswith("RuntimeError: a long xxx")
    assert len(line.text) < 700
    assert "\n" not in line.text


def test_a_class_that_has_no_file_is_refused(own):
    config = of_own(own | {"class": "sys:path"})
    (line,) = lines_of("mine", examine_autoencoder, config, "mine", [], "", 0)
    assert "sys is a part of Python itself" in line.text


@pytest.mark.parametrize(("size", "fits"), [(64, True), (72, False)])
def test_noise_in_units_that_do_not_fit_the_grid(study, tmp_path, size, fits):  # noqa: F811
    """FLUX.2 normalises two by two positions, and nine is not a multiple of two."""
    entry = save("flux2", tmp_path / "flux2") | {"label": "Flux"}
    tables = {"table4": ["noise_conditioned"], "ablation_controls": [], "gap_decomposition": []}
    path = study(
        study={"autoencoders": ["flux"], "recipes": tables, "limited_to": {"table4": {"autoencoders": ["flux"]}}},
        autoencoders={"flux": entry},
        recipes={"noise_conditioned": {"noise_space": "autoencoder"}},
    )
    text = path.read_text().replace("image_size: 64", f"image_size: {size}")
    path.write_text(text.replace("classifier_size: 32", f"classifier_size: {size // 2}"))
    refused = [line.text for line in examined(path, images=1)["flux"] if not line.ready]
    assert len(refused) == (not fits)
    assert all(
        "recipes.noise_conditioned.noise_space: the units of autoencoders.flux repeat" in text for text in refused
    )


def test_what_fine_tuning_starts_from_is_tried_where_it_is_not_in_the_study(study):  # noqa: F811
    tuned = {"label": "Tuned", "role": "family", "base": "tiny"}
    path = study(study={"autoencoders": ["tuned"]}, autoencoders={"tuned": tuned | {"finetune": TUNING}})
    lines = examined(path, images=1)["tuned"]
    assert lines[0].text.startswith("fine-tuned by the workflow from tiny; latent 4 x 8 x 8")
    assert lines[1].text.startswith("before its fine-tuning: round trip of 1 image of mine")
    path.write_text(path.read_text().replace("image_size: 64", "image_size: 16").replace("r_size: 32", "r_size: 16"))
    (line,) = examined(path, images=1)["tuned"]
    assert line.text.startswith("autoencoders.tuned.finetune.adversarial: image_size 16 is too small for the discrim")


TUNING = {
    "images": "all_images", "steps": 10, "batch_size": 2, "lr": 1.8e-5, "kl_weight": 1.0e-6, "perceptual": "none",
    "adversarial": {"start": 5, "weight": 0.5, "lr": 1.8e-5}, "checkpoint_every": 5,
}  # fmt: skip


def test_a_factor_that_an_untrained_encoder_has_no_widths_for():
    entry = {"label": "Floor", "role": "control", "class": "random_init", "channels": 4, "factor": 16, "decodes": False}
    (_, line) = lines_of("mine", examine_autoencoder, of_own(entry), "mine", np.zeros((1, 64, 64, 3), np.uint8), "", 0)
    assert line.text.startswith("random_init has 4 widths and factor 16 takes 5; name so many in options.block_out_ch")
