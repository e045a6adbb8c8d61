"""Damage in every kind of file is noticed, by `learnability verify` and by what reads the file."""

import random
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from learnability import cli
from learnability.autoencoders.encode import encode_dataset
from learnability.autoencoders.finetuning.tuning import training_rows
from learnability.classifiers.saved import load_classifier, load_start
from learnability.classifiers.weights import pretrained_file
from learnability.commands import verify as verification
from learnability.commands.verify import is_sound, verify
from learnability.errors import InputError
from learnability.storage.contracts import (
    file_digest,
    read_json,
    read_metrics,
    read_predictions,
    write_json,
    write_parquet,
)
from learnability.training.evaluation import noise_curve
from learnability.training.fold_data import load_fold
from tests.lights import CLASSES, inputs, teach, train, write_study
from tests.recipes import IMAGE, LATENT

DIGESTED = ["images_small.npy", "latents.npy", "teacher/predictions.parquet", "teacher/history.csv",
            "teacher/model.safetensors", "teacher/teacher_logits.npy", "weights/vgg/model.safetensors"]  # fmt: skip
CARDS = ["dataset.json", "autoencoder.json", "teacher/metrics.json", "teacher/model.json",
         "teacher/teacher_logits.json", "weights/vgg/source.json"]  # fmt: skip
TABLES = ["samples.parquet", "folds/lights.parquet", "run/noise_curve.parquet"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A small study with a teacher, a latent run with its noise curve, and fetched weights."""
    study = write_study(tmp_path_factory.mktemp("finished"))
    teach(study, "teacher")
    train(study, "run", LATENT)
    curve = noise_curve(load_classifier(study / "run"), load_fold(**inputs(study, LATENT)), seed=0)
    write_parquet(curve.assign(**inputs(study, LATENT)["cell"]), study / "run/noise_curve.parquet")
    (study / "folds").mkdir()
    shutil.copy(study / "folds.parquet", study / "folds/lights.parquet")
    weights = study / "weights/vgg/model.safetensors"
    weights.parent.mkdir(parents=True)
    shutil.copy(study / "run/model.safetensors", weights)
    files = {weights.name: file_digest(weights)}
    write_json({"repository": "a/b", "revision": "c", "files": files}, weights.with_name("source.json"))
    return study


@pytest.fixture
def study(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "study"))


def flip(path: Path, at: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(content)


def zero_half(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))


def test_a_sound_folder_has_no_damage(study, capsys):
    compared, damaged = verify(study)
    assert damaged == {}
    assert compared >= len([*DIGESTED, *CARDS, *TABLES])
    cli.main(["verify", str(study)])
    assert capsys.readouterr().out.endswith("nothing is damaged\n")


@pytest.mark.parametrize("name", [*DIGESTED, *CARDS])
def test_a_flipped_bit_in_any_kind_of_file_is_named(study, name, capsys):
    path, drawn = study / name, random.Random(name)
    content = path.read_bytes()
    for at in (drawn.randrange(128, len(content)) for _ in range(5)):  # behind the header of an array
        flip(path, at)
        assert [*verify(study)[1]] == [path], at
        path.write_bytes(content)
    zero_half(path)
    with pytest.raises(SystemExit) as ended:
        cli.main(["verify", str(study)])
    printed = capsys.readouterr().out
    assert ended.value.code == 1
    assert f"1 damaged file:\n  {path}\n" in printed
    output = path.with_name("source.json") if "weights" in name.split("/") else path  # of a fetch that is its record
    assert f"snakemake --profile profiles/local --force {output} --configfile" in printed


def test_what_repairs_is_named_as_the_rules_name_it_and_once(study, capsys, monkeypatch):
    monkeypatch.chdir(study.parent)
    for name in ("latents.npy", "weights/vgg/model.safetensors"):
        flip(study / name, 200)
    other = study / "weights/vgg/config.json"
    other.write_text("{}")
    record = read_json(study / "weights/vgg/source.json")
    write_json(record | {"files": record["files"] | {"config.json": "0"}}, study / "weights/vgg/source.json")
    with pytest.raises(SystemExit):
        cli.main(["verify", str(study)])
    assert " --force study/latents.npy study/weights/vgg/source.json --configfile" in capsys.readouterr().out


def test_a_damaged_header_of_an_array_is_named_or_changes_nothing_that_is_read(study):
    path = study / "latents.npy"
    content, sound, noticed = path.read_bytes(), np.load(path), 0
    for at in range(128):
        flip(path, at)
        if found := verify(study)[1]:
            assert [*found] == [path]
            noticed += 1
        else:
            np.testing.assert_array_equal(np.load(path), sound, strict=True)
        path.write_bytes(content)
    assert noticed >= 40
    path.write_bytes(b"x" * 100)
    with pytest.raises(InputError, match=r"latents\.npy: damaged"):
        train(study, "other", LATENT)


@pytest.mark.parametrize("name", TABLES)
def test_a_flipped_bit_of_a_table_is_named_or_changes_nothing_that_is_read(study, name):
    path, drawn = study / name, random.Random(name)
    content, sound, noticed = path.read_bytes(), pd.read_parquet(path), 0
    for at in (drawn.randrange(len(content)) for _ in range(60)):
        flip(path, at)
        if is_sound(path):
            pd.testing.assert_frame_equal(pd.read_parquet(path), sound)
        else:
            noticed += 1
        path.write_bytes(content)
    assert noticed >= 20
    flip(path, 20)
    assert path in verify(study)[1]


def test_no_flip_of_predictions_is_silent(study):
    path = study / "run/predictions.parquet"
    content, sound, drawn = path.read_bytes(), read_predictions(path, CLASSES), random.Random(0)
    for at in (drawn.randrange(len(content)) for _ in range(300)):
        flip(path, at, drawn.randrange(8))
        with suppress(InputError):
            pd.testing.assert_frame_equal(read_predictions(path, CLASSES), sound)
        with pytest.raises(InputError, match=r"predictions\.parquet: damaged, not what digest_predictions of metrics"):
            read_metrics([str(study / "run/metrics.json")])
        path.write_bytes(content)


def test_a_changed_digit_of_a_score_goes_into_no_table(study):
    path = study / "run/metrics.json"
    text = path.read_text()
    score = f"{read_json(path)['balanced_accuracy']!r}"
    path.write_text(text.replace(score, score[:-1] + ("1" if score[-1] != "1" else "2")))
    with pytest.raises(
        InputError, match=r"metrics\.json: damaged, its content is not what its card_digest says; delete"
    ):
        read_metrics([str(path)])


@pytest.mark.parametrize("damage", [zero_half, lambda path: flip(path, 4000)])
@pytest.mark.parametrize(("recipe", "array"), [(LATENT, "latents.npy"), (IMAGE, "images_small.npy")])
def test_no_training_starts_on_a_damaged_array(study, damage, recipe, array):
    damage(study / array)
    with pytest.raises(InputError, match=rf"{array}: damaged, not what digest_.* says; delete both and run again"):
        train(study, "other", recipe)
    assert not (study / "other").exists()


def test_nothing_is_made_from_samples_that_are_not_those_of_the_card(study):
    card, samples = study / "dataset.json", study / "samples.parquet"
    write_json(read_json(card) | {"digest_samples": file_digest(samples)}, card)
    write_parquet(pd.read_parquet(samples).assign(label=0), samples)  # sound pages, another content
    for use in (
        lambda: train(study, "other", LATENT),
        lambda: encode_dataset("sd", {}, study, study / "encoding", torch.device("cpu")),
        lambda: training_rows(study, study / "folds.parquet", fold=1, n_splits=5),
    ):
        with pytest.raises(InputError, match=r"samples\.parquet: damaged, not what digest_samples of dataset\.json"):
            use()


def test_no_student_learns_from_damaged_logits(study):
    flip(study / "teacher/teacher_logits.npy", 200)
    teacher = {"space": "image", "recipe": "image"}
    recipe = LATENT | {"distill": {"teacher": teacher, "loss": "mse", "hard_weight": 0.5, "temperature": 2}}
    with pytest.raises(InputError, match=r"teacher_logits\.npy: damaged"):
        train(study, "student", recipe, teacher_logits=study / "teacher/teacher_logits.npy")


def test_damaged_weights_are_neither_used_nor_started_from(study):
    classifier = load_classifier(study / "run")
    flip(study / "run/model.safetensors", -100)
    for use in (
        lambda: load_classifier(study / "run"),
        lambda: load_start(classifier, study / "run/model.safetensors"),
    ):
        with pytest.raises(InputError, match=r"model\.safetensors: damaged, not what digest_weights of model\.json"):
            use()
    assert pretrained_file({}, str(study / "weights/vgg/source.json")).is_file()
    flip(study / "weights/vgg/model.safetensors", -100)
    with pytest.raises(InputError, match=r"vgg/model\.safetensors: damaged, not what source\.json says"):
        pretrained_file({}, str(study / "weights/vgg/source.json"))


def test_a_card_whose_digest_has_lost_its_name_is_damaged(study):
    path = study / "run/metrics.json"
    text = path.read_text()
    path.write_text(text.replace("card_digest", "care_digest"))
    assert [*verify(study)[1]] == [path]


def test_what_is_in_the_making_is_no_result_and_what_is_gone_by_then_is_not_damaged(study, monkeypatch):
    sound = verify(study)
    for name in (".arrays.0a1b.tmp/journal.json", ".finished/metrics.json", ".arrays.0a1b.tmp/part.parquet"):
        (study / "run" / name).parent.mkdir(exist_ok=True)
        (study / "run" / name).write_text("{")
    assert verify(study) == sound
    gone = [study / "run/gone.json", study / "run/gone.parquet"]
    listed = verification.results_named
    monkeypatch.setattr(verification, "results_named", lambda *given: [*listed(*given), gone[1]])
    cards = verification.cards_of
    monkeypatch.setattr(verification, "cards_of", lambda *given: [*cards(*given), gone[0]])
    assert verify(study)[1] == sound[1]


def test_a_results_folder_may_lie_below_a_hidden_one(study, tmp_path):
    hidden = Path(shutil.copytree(study, tmp_path / ".hidden/study"))
    assert verify(hidden)[0] == verify(study)[0]


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(InputError, match="not a study's results; give the folder"):
        verify(tmp_path)
