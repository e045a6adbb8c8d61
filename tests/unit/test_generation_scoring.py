"""Scores of generated latents and images: equal to calling the model, and what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file

from learnability import cli, load_classifier
from learnability.autoencoders.encode import encode_dataset
from learnability.autoencoders.latent_units import pipeline_units
from learnability.errors import InputError
from learnability.generation import scoring
from learnability.generation.conversion import to_pipeline
from learnability.generation.scoring import score
from learnability.storage.arrays import area_average, open_packed
from learnability.storage.contracts import write_json
from learnability.study.configuration import read_config
from learnability.training import engine as training
from learnability.training import evaluation
from tests import lights
from tests.autoencoders import build, save, write_dataset
from tests.recipes import LATENT
from tests.trained import CLASSES, describe_run, image_run, write_run

CPU = torch.device("cpu")
DRAWING = """
import torch

class Sampled:
    def encode(self, x):
        return torch.randn(len(x), 4, x.shape[2] // 8, x.shape[3] // 8)
"""


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run", describe_run())


@pytest.fixture
def study(tmp_path):
    """A study file at 64 px with one tiny autoencoder, its configuration, and images of that size as files."""
    entry = save("sd", tmp_path / "weights") | {"label": "Tiny"}
    content = {"results": str(tmp_path / "results"), "image_size": 64, "classifier_size": 32}
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(content | {"autoencoders": {"tiny": entry}}))
    images = open_packed(write_dataset(tmp_path / "dataset") / "images.npy")
    for i, image in enumerate(images):
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / "images" / f"image{i}.png")
    return path, entry, images


def expected(run, x, sigma=None) -> np.ndarray:
    with torch.inference_mode():
        return load_classifier(run)(torch.as_tensor(x), sigma).double().softmax(1).numpy()


def assert_scores(frame: pd.DataFrame, names: list, probability: np.ndarray, path) -> None:
    pd.testing.assert_frame_equal(frame, pd.read_parquet(path))
    assert list(frame.columns) == ["sample_id", *CLASSES]
    assert list(frame["sample_id"]) == list(map(str, names))
    assert set(frame.dtypes.iloc[1:]) == {np.dtype("float64")}
    np.testing.assert_allclose(frame[CLASSES].to_numpy(), probability, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("sigma", [None, 0.8])
@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_latents_get_what_the_model_says(run, tmp_path, kind, sigma):
    z, out = torch.randn(70, 4, 8, 8).to(getattr(torch, kind)), tmp_path / "scores.parquet"
    if kind == "float16":
        np.save(tmp_path / "z.npy", z.numpy())
    else:
        save_file({"any name": z}, tmp_path / "z.safetensors")
    (path,) = tmp_path.glob("z.*")
    frame = score(run, [path], out, {}, sigma=sigma)
    assert_scores(frame, range(70), expected(run, z.float(), sigma), out)
    assert not np.allclose(frame[CLASSES], expected(run, z.float(), 5.0), atol=1e-3)  # the level matters


def test_the_cpu_scores_where_it_is_asked_for(run, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)  # a CUDA call would raise an error
    monkeypatch.setenv("LEARNABILITY_DEVICE", "cpu")
    np.save(tmp_path / "z.npy", np.zeros((2, 4, 8, 8), "float16"))
    assert len(score(run, [tmp_path / "z.npy"], tmp_path / "scores.parquet", {})) == 2


def test_scores_are_those_of_predictions_parquet_in_the_precision_of_the_study(tmp_path, monkeypatch):
    """The test uses the autocast of a GPU, without which they would differ in the third digit."""
    for module in (training, evaluation, scoring):
        monkeypatch.setattr(module, "autocast", lambda device: torch.autocast(device.type, torch.bfloat16))
    folder = lights.write_study(tmp_path)
    lights.train(folder, "run", LATENT | {"epochs": 1})
    np.save(tmp_path / "z.npy", open_packed(folder / "latents.npy")[lights.VALIDATION])
    found = score(folder / "run", [tmp_path / "z.npy"], tmp_path / "scores.parquet", {})
    stored = pd.read_parquet(folder / "run/predictions.parquet").query("split == 'validation'")
    np.testing.assert_array_equal(found[lights.CLASSES], stored[lights.CLASSES])


def test_latents_of_a_pipeline_are_made_raw(tmp_path):
    model = build("flux2")
    model.bn.running_mean.normal_()
    model.bn.running_var.uniform_(0.5, 4)
    units, z = pipeline_units(model), torch.randn(3, 32, 8, 8)
    run = write_run(tmp_path / "run", describe_run(32, pipeline=units))
    write_json({"pipeline": units}, tmp_path / "autoencoder.json")
    save_file({"z": to_pipeline(z, units, packed=True, tokens=True).contiguous()}, tmp_path / "z.safetensors")
    out = tmp_path / "scores.parquet"
    frame = score(run, [tmp_path / "z.safetensors"], out, {}, units=tmp_path / "autoencoder.json")
    assert_scores(frame, range(3), expected(run, z), out)
    with pytest.raises(InputError, match="latents 16 x 128, but this classifier was trained on 32 x 8 x 8"):
        score(run, [tmp_path / "z.safetensors"], out, {})


def test_images_are_encoded_as_the_study_encodes_them(run, study, tmp_path, capsys):
    path, entry, _ = study
    encode_dataset("tiny", entry, tmp_path / "dataset", tmp_path / "encoding", CPU)
    stored = open_packed(tmp_path / "encoding" / "latents.npy")
    files, out = [tmp_path / "images" / f"image{i}.png" for i in range(5)], tmp_path / "scores.parquet"
    command = ["score", tmp_path / "images", "--classifier", run, "--autoencoder", "tiny", "--configfile", path]
    cli.main(list(map(str, [*command, "--out", out])))
    assert f"5 samples scored: {out}" in capsys.readouterr().out
    assert_scores(pd.read_parquet(out), files, expected(run, stored.astype(np.float32)), out)
    frame = score(run, files[1:3], out, read_config(path), "tiny")
    assert_scores(frame, files[1:3], expected(run, stored[1:3].astype(np.float32)), out)


def test_images_come_to_the_size_of_an_image_classifier_as_in_the_study(study, tmp_path):
    path, _, images = study
    run, out = write_run(tmp_path / "run", image_run()), tmp_path / "scores.parquet"
    small = torch.from_numpy(area_average(np.array(images), 32)).permute(0, 3, 1, 2)
    frame = score(run, [tmp_path / "images"], out, read_config(path))
    assert_scores(frame, sorted((tmp_path / "images").iterdir()), expected(run, small), out)
    large = Image.fromarray(images[0]).resize((100, 80))  # squashed back, as prepare_dataset does it
    large.save(tmp_path / "large.png")
    squashed = np.asarray(large.resize((64, 64), Image.Resampling.BICUBIC))[None]
    small = torch.from_numpy(area_average(squashed, 32)).permute(0, 3, 1, 2)
    frame = score(run, [tmp_path / "large.png"], out, read_config(path))
    assert_scores(frame, [tmp_path / "large.png"], expected(run, small), out)


def test_fetched_and_fine_tuned_weights_are_found_where_the_study_put_them(run, study, tmp_path):
    path, _, _ = study
    config, out = read_config(path), tmp_path / "scores.parquet"
    direct = score(run, [tmp_path / "images"], out, config, "tiny")
    fetched = tmp_path / "results" / "weights" / "tiny"
    (tmp_path / "weights").rename(tmp_path / "moved")
    fetched.parent.mkdir(parents=True)
    (tmp_path / "moved").rename(fetched)
    write_json({}, fetched / "source.json")
    pd.testing.assert_frame_equal(score(run, [tmp_path / "images"], out, config, "tiny"), direct)
    tuned = write_run(tmp_path / "tuned_run", describe_run(autoencoder="tuned", fold=2))
    finetune = config["autoencoders"]["medvae_ft"]["finetune"] | {"images": "train_rows_per_fold"}
    config["autoencoders"]["tuned"] = {"label": "T", "role": "family", "base": "tiny", "finetune": finetune}
    with pytest.raises(InputError, match="weights/skin/tuned@fold2 does not exist; the study fine-tunes tuned"):
        score(tuned, [tmp_path / "images"], out, config, "tuned")
    (fetched.parent / "skin").mkdir()
    fetched.rename(fetched.parent / "skin" / "tuned@fold2")
    pd.testing.assert_frame_equal(score(tuned, [tmp_path / "images"], out, config, "tuned"), direct)


def test_a_stochastic_autoencoder_gives_an_image_the_same_latent_by_whatever_path_it_is_named(
    run, study, tmp_path, own_module
):
    own_module("drawing", DRAWING)
    config = read_config(study[0])
    mine = {"role": "family", "class": "drawing:Sampled", "channels": 4, "factor": 8, "stochastic": True}
    config["autoencoders"]["tiny"] = mine | {"label": "Mine", "decodes": False}
    sources = [tmp_path / "images", Path("images"), Path("images/image0.png")]
    frames = [score(run, [source], tmp_path / "o.parquet", config, "tiny") for source in sources]
    first, *others = [frame[CLASSES].to_numpy() for frame in frames]
    assert len(np.unique(first[:, 0])) == 5  # each image by a seed of its own
    for other in others:
        np.testing.assert_allclose(other, first[: len(other)], rtol=1e-5)  # the classifier rounds by its batch


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 3, 8, 8)), r"latents 3 x 8 x 8, but this classifier was trained on 4 x 8 x 8 \(tiny\); generate"),
        (np.zeros((2, 4, 8, 6)), r"latents 4 x 8 x 6, but this classifier was trained on 4 x 8 x 8"),
        (np.zeros((4, 8)), r"z.npy: float64 \(4, 8\); expected numbers \(N, C, h, w\), at least one latent"),
        (np.zeros((0, 4, 8, 8)), r"z.npy: float64 \(0, 4, 8, 8\); expected numbers"),
        (np.zeros((2, 4, 8, 8), complex), r"z.npy: complex128 \(2, 4, 8, 8\); expected numbers"),
        (np.array([["a"]]), r"z.npy: <U1 \(1, 1\); expected numbers"),
        (np.pad(np.full((1, 4, 8, 8), np.nan), ((40, 2), (0, 0), (0, 0), (0, 0))), "sample 40 has NaN or infinity"),
        (b"no array", "z.npy: cannot be read as an array of numbers: "),
        (np.array([{}]), "z.npy: cannot be read as an array of numbers: .*Python objects"),
    ],
)
def test_arrays_that_are_no_latents_of_this_classifier_are_refused(run, tmp_path, array, message):
    path = tmp_path / "z.npy"
    path.write_bytes(array) if isinstance(array, bytes) else np.save(path, array, allow_pickle=True)
    with pytest.raises(InputError, match=message):
        score(run, [path], tmp_path / "scores.parquet", {})
    assert not (tmp_path / "scores.parquet").exists()


def test_what_does_not_go_together_is_refused(run, study, tmp_path):
    path, _, _ = study
    config, out, images = read_config(path), tmp_path / "scores.parquet", [tmp_path / "images"]
    z = tmp_path / "z.npy"
    np.save(z, np.zeros((1, 4, 8, 8)))
    save_file({"a": torch.zeros(1), "b": torch.zeros(1)}, tmp_path / "two.safetensors")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.png").write_text("x")
    (tmp_path / "other").mkdir()
    pixels = write_run(tmp_path / "pixels", image_run(noise=None))
    big = write_run(tmp_path / "big", image_run(grid=[256, 256]))
    write_json({"pipeline": {"mean": [0.0] * 3, "std": [1.0]}}, tmp_path / "card.json")
    write_json({}, tmp_path / "old.json")
    cases = [
        ((run, [z], None, None, tmp_path / "old.json"), "old.json: no `pipeline` in it; expected the autoencoder.json"),
        ((run, [z], None, None, tmp_path / "no.json"), "no.json does not exist; expected the autoencoder.json"),
        ((run, [tmp_path / "two.safetensors"]), r"two.safetensors: 2 tensors, \['a', 'b'\]; save the latents alone"),
        ((run, [tmp_path / "none.npy"]), "none.npy does not exist; give the file of the generated latents"),
        ((run, [z, z]), "give one array of latents, without an autoencoder, or images"),
        ((run, [z], "tiny"), "give one array of latents, without an autoencoder, or images"),
        (
            (run, [z], None, None, tmp_path / "card.json"),
            "pipeline.mean has 3 values; a latent of 4 channels needs 1, 4",
        ),
        ((run, [z], None, -1.0), "--sigma -1.0: expected a number of at least 0"),
        ((pixels, [z]), r"z.npy: this classifier sees images \(image space\); give decoded images"),
        ((pixels, images, None, 0.5), "this classifier knows no noise levels; leave out --sigma"),
        ((pixels, images, "tiny"), "this classifier sees image space; for images, leave out --autoencoder"),
        ((big, images), "trained at 256 px, but classifier_size is 32; give the study's file with --configfile"),
        ((run, images), "this classifier sees latent space; for images, name its autoencoder with --autoencoder"),
        ((run, images, "sd14"), "this classifier was trained on latents of tiny, not of sd14"),
        ((run, images, "tiny", None, tmp_path / "card.json"), "--pipeline-units: images have none"),
        ((run, [tmp_path / "empty"], "tiny"), "empty: no image in it; expected .png or .jpg files"),
        ((run, [tmp_path / "absent"], "tiny"), "absent does not exist; give latents"),
        ((run, [tmp_path / "broken.png"], "tiny"), "broken.png: cannot be read as an image of 8 bits a channel"),
        ((run, images + images, "tiny"), "image0.png is given twice; name each image once"),
        ((tmp_path / "other", [z]), "model.json does not exist; expected the folder of a trained classifier"),
    ]
    for (folder, sources, *rest), message in cases:
        with pytest.raises(InputError, match=message):
            score(folder, sources, out, config, *rest)
    config["image_size"] = 128
    with pytest.raises(InputError, match="tiny: latents 4 x 16 x 16, but this classifier was trained on 4 x 8 x 8"):
        score(run, images, out, config, "tiny")
    assert not out.exists()
