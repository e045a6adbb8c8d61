"""A scheduler that is not SLURM: the profiles of docs/clusters.md, one of them run with a stand-in for qsub."""

import re
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
from snakemake.profiles import ProfileConfigFileParser

from learnability.workflow.job_work import GPU_RULES
from tests.conftest import copy_checkout, snakemake
from tests.pages import files_of_pages
from tests.runs.test_workstation import FOLDS, STUDY

PROFILES = files_of_pages()
# Runs the script at once, in the background, prints an id, and notes what was asked for.
QSUB = """#!/bin/sh
echo "$@" >> asked
for script; do :; done
sh "$script" > /dev/null 2>&1 &
echo $!.stand-in
"""


class Sent(NamedTuple):
    """What the stand-in was asked for, one line per job, and the folder in which the study ran."""

    asked: list[str]
    folder: Path


@pytest.fixture(scope="module")
def sent(tmp_path_factory) -> Sent:
    """Two folds of a cell and what they need, run from a head node whose GPU the jobs must not lease."""
    pytest.importorskip("snakemake_executor_plugin_cluster_generic")
    folder = copy_checkout(tmp_path_factory.mktemp("pbs") / "checkout")
    (folder / "study.yaml").write_text(STUDY)
    (folder / "pbs.yaml").write_text(PROFILES["pbs.yaml"])
    (folder / "bin").mkdir()
    (folder / "bin/qsub").write_text(QSUB)
    (folder / "bin/qsub").chmod(0o755)
    command = ("--profile", "profiles/cluster", "--profile", "pbs.yaml", "--configfile", "study.yaml")
    quick = ("--latency-wait", "5", "--seconds-between-status-checks", "1")
    path = {"PATH": f"{folder / 'bin'}:{Path(shutil.which('python')).parent}:/usr/bin:/bin"}
    card = {"CUDA_VISIBLE_DEVICES": "made-up-0", "LEARNABILITY_CARDS": "made-up-0", "LEARNABILITY_JOBS_PER_CARD": "1"}
    card["LEARNABILITY_DEVICE"] = "cpu"
    snakemake(*command, *quick, "--", *FOLDS[:2], folder=folder, **path, **card)
    return Sent((folder / "asked").read_text().splitlines(), folder)


def test_the_folds_of_a_cell_are_one_job_with_one_gpu(sent):
    assert [re.findall(r"ncpus=(\d+):mem=(\d+)mb:ngpus=(\d)", line) for line in sent.asked] == [
        [("16", "8000", "0")],  # packing
        [("1", "2000", "0")],  # folds
        [("4", "6000", "1")],  # both trainings
    ]
    assert all((sent.folder / file).is_file() for file in FOLDS[:2])


def test_a_job_that_a_scheduler_started_leases_no_card(sent):
    logs = [path.read_text() for path in (sent.folder / "results/shared/logs/train_classifier").glob("*.log")]
    assert len(logs) == 2
    assert [log for log in logs if not log.startswith("epoch 1/1")] == []


@pytest.mark.parametrize("name", ["lsf.yaml", "htcondor.yaml"])
def test_a_profile_that_names_the_rules_with_a_gpu_names_all(tmp_path, name):
    (tmp_path / name).write_text(PROFILES[name])
    with open(tmp_path / name) as file:
        asked = ProfileConfigFileParser().parse(file)["set-resources"]
    assert {line.split(":")[0] for line in asked} == set(GPU_RULES)
