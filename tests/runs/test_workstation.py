"""A study through profiles/workstation on a machine with two made-up GPUs: two trainings at once, one on each."""

import re
from itertools import accumulate
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, snakemake

STUDY = """
results: results/shared
image_size: 64
classifier_size: 32
study: {datasets: [echo], autoencoders: [pixel_unshuffle_8], spaces: [image], n_splits: 3, folds: [0, 1, 2],
        efficiency: null, recipes: {table1: [image], table4: [], gap_decomposition: [], ablation_controls: []}}
datasets:
  echo: {label: Echo phantom, format: phantom, modality: echo, groups: {normal: 9, defect: 9}, positive: defect,
         images_per_group: [1, 1], size: 64, seed: 0}
recipes:
  image: {model: resnet18, model_options: {layers: [1, 1, 1, 1], channels: [8, 16, 16, 16]}, init: random,
          batch_size: 2, epochs: 1}
"""
FOLDS = [f"results/shared/runs/echo/image/original/image/fold{fold}/metrics.json" for fold in range(3)]


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Path:
    """Three trainings were run, with enough cores for all of them at once."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "study.yaml").write_text(STUDY)
    command = ("--profile", CHECKOUT / "profiles/workstation", "--snakefile", CHECKOUT / "Snakefile", "--cores", "16")
    cards = {"CUDA_VISIBLE_DEVICES": "made-up-0,made-up-1", "LEARNABILITY_DEVICE": "cpu", "TMPDIR": str(folder)}
    path = {"PYTHONPATH": str(CHECKOUT / "workflow/src")}  # `folder` is no checkout
    snakemake(*command, "--configfile", "study.yaml", "--", *FOLDS, folder=folder, **cards, **path)
    return folder


def test_no_more_trainings_run_at_once_than_there_are_cards(shared):
    [log] = (shared / ".snakemake/log").glob("*.log")
    events = re.findall(r"(Training image) on|(Finished) jobid: \d+ \(Rule: train_classifier\)", log.read_text())
    running = list(accumulate(1 if begins else -1 for begins, _ in events))
    assert len(running) == 6
    assert max(running) == 2


def test_each_has_a_card_and_none_waits_for_one(shared):
    logs = [path.read_text() for path in (shared / "results/shared/logs/train_classifier").glob("*.log")]
    assert len(logs) == 3
    assert {re.match(r"GPU (\S+)\n", log)[1] for log in logs} == {"made-up-0", "made-up-1"}
