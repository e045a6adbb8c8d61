"""Files in the user's folders that decide a result: after an edit their readers run again, after a move nothing."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from learnability.study.configuration import merge
from tests.autoencoders import save
from tests.conftest import copy_checkout, job_counts, snakemake
from tests.jobs import planned

WEIGHTS = "diffusion_pytorch_model.safetensors"
FINETUNE = {
    "images": "all_images", "steps": 2, "batch_size": 2, "lr": 1e-3, "kl_weight": 1e-6, "perceptual": "none",
    "adversarial": None, "checkpoint_every": 2,
}  # fmt: skip
STUDY = {
    "results": "results/mine", "image_size": 64, "classifier_size": 32,
    "study": {"datasets": ["echo"], "autoencoders": ["sd", "own", "tuned"], "folds": [0], "efficiency": None},
    "datasets": {"echo": {
        "label": "Echo", "format": "phantom", "modality": "echo", "groups": {"normal": 12, "defect": 6},
        "positive": "defect", "images_per_group": [1, 2], "size": 64, "seed": 1,
    }},
    "autoencoders": {
        "own": {"label": "Own", "role": "family", "class": "my_class:Mine", "channels": 3, "factor": 8},
        "tuned": {"label": "Tuned", "role": "family", "base": "sd", "finetune": FINETUNE},
    },
    "recipes": {"image": {"init": "random"}, "latent": {"stem_patch": 1, "init": "imagenet"}},
    "pretrained": {"convnext_tiny": {"source": "${STARTS}"}},
}  # fmt: skip
TARGETS = [f"train/echo/latent/{name}" for name in ("sd", "own", "tuned")]


class Done:
    """A study whose jobs are all done, as far as Snakemake can tell: its files are empty, and marked as made."""

    def __init__(self, folder: Path, place: Path):
        self.folder, self.place = folder, place
        (folder / "my_class.py").write_text("from my_layers import layer\n\nclass Mine:\n    encode = layer\n")
        (folder / "my_layers.py").write_text("from my_options import SIZE\n\ndef layer(self, x):\n    return x\n")
        (folder / "my_options.py").write_text("SIZE = 8\n")
        (place / "starts").mkdir()
        (place / "starts" / "model.safetensors").write_bytes(b"pretrained")
        self.entry = save("sd", place / "sd") | {"label": "SD"}
        self.environment = {"STARTS": str(place / "starts")}
        for job in self.plan().jobs:
            for output in job.output:
                path = folder / "results" / output
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
                if path.suffix == ".npy":  # what jobs ask for follows from its size
                    np.save(path, np.zeros((1, 3, 8, 8), np.uint8))
        self.snakemake("--touch", "--forceall", "--cores", "1")

    def options(self) -> tuple[str, ...]:
        study = json.loads(json.dumps(STUDY))
        merge(study, {"autoencoders": {"sd": self.entry}})
        (self.folder / "mine.yaml").write_text(yaml.safe_dump(study))
        return "--configfile", "mine.yaml", "--", *TARGETS

    def plan(self):
        return planned(*self.options(), folder=self.folder, **self.environment)

    def snakemake(self, *options: str) -> str:
        return snakemake(*options, *self.options(), folder=self.folder, **self.environment)

    def counts(self) -> dict[str, int]:
        """Of the jobs that would run, those that read weights."""
        found = job_counts(self.snakemake("-n"))
        return {rule: number for rule, number in found.items() if not rule.startswith("train/")}


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Done:
    place = tmp_path_factory.mktemp("identity")
    return Done(copy_checkout(place / "checkout"), place)


@pytest.fixture
def done(finished) -> Done:
    """That study, with nothing left to do; a test's edit of a file is undone afterwards."""
    files = [*finished.place.glob("s*/*"), *finished.folder.glob("my_*.py")]
    before = {path: path.read_bytes() for path in files}
    assert finished.counts() == {}
    yield finished
    for path, content in before.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"), [("0.18215", "0.6924"), ('"norm_num_groups": 4', '"norm_num_groups": 2'), ("silu", "relu")]
)
def test_a_corrected_config_json_runs_again_what_read_it_and_all_after_it(done, old, new):
    edit(done.place / "sd/config.json", old, new)
    expected = {"finetune_autoencoder": 1, "encode_dataset": 2, "train_classifier": 2}  # of its own, and fine-tuned
    assert done.counts() == expected


def test_other_weights_in_the_same_folder_do_too_though_size_and_time_are_the_same(done):
    path = done.place / "sd" / WEIGHTS
    facts, content = path.stat(), bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert done.counts() == {"finetune_autoencoder": 1, "encode_dataset": 2, "train_classifier": 2}


@pytest.mark.parametrize("name", ["my_class.py", "my_layers.py", "my_options.py"])
def test_a_class_of_ones_own_is_all_that_it_imports_from_beside_it(done, name):
    with (done.folder / name).open("a") as file:
        file.write("EDITED = True\n")
    assert done.counts() == {"encode_dataset": 1, "train_classifier": 1}


def test_other_starting_weights_train_again_and_encode_nothing(done):
    (done.place / "starts/model.safetensors").write_bytes(b"PRETRAINED")
    assert done.counts() == {"train_classifier": 3}


def test_weights_that_move_are_copied_or_are_not_there_run_nothing(done):
    moved = done.place / "elsewhere"
    shutil.copytree(done.place / "sd", moved / "sd")  # with new time stamps
    before, done.entry = done.entry, done.entry | {"source": str(moved / "sd")}
    try:
        assert done.counts() == {}
    finally:
        done.entry = before
    shutil.copytree(done.place / "starts", moved / "starts")
    environment, done.environment = done.environment, {"STARTS": str(moved / "starts")}
    try:
        assert done.counts() == {}
        shutil.rmtree(moved)
        assert done.counts() == {}
    finally:
        done.environment = environment
    (done.place / "sd/config.json").unlink()
    assert done.counts() == {}


def test_an_edit_of_fine_tuned_weights_or_their_config_json_encodes_anew(done):
    (config,) = (done.folder / "results/mine/weights").rglob("config.json")
    config.write_text("{}")
    try:
        assert done.counts() == {"encode_dataset": 1, "train_classifier": 1}
    finally:
        done.snakemake("--touch", "--forceall", "--cores", "1")
