"""A study through the shipped SLURM profile, the folds of a cell packed; one of its trainings is killed on the way."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import copy_checkout
from tests.slurm_cluster import CELL, RESULTS, bytes_of, log_of_failure, training_of

pytestmark = pytest.mark.slurm_faults


class Packed(NamedTuple):
    """What was seen of the study: its checkout, the group of the latent cell as SLURM shows it, and what was sent."""

    folder: Path
    group: str
    sent: list[str]
    told: str
    done: str  # the fold that was done when the other one was killed
    killed: int


@pytest.fixture(scope="module")
def packed(one_node_slurm, tmp_path_factory) -> Packed:
    cluster = one_node_slurm
    cluster.empty()
    folder = copy_checkout(tmp_path_factory.mktemp("packed") / "checkout")
    known = {job["id"] for job in cluster.jobs()}
    head = cluster.start(folder)
    done = cluster.wait_for(lambda: list((folder / CELL).glob("fold*/metrics.json")), 300)[0].parent.name
    killed = 1 - int(done.removeprefix("fold"))  # either may be the first
    training = cluster.wait_for(lambda: training_of(folder, fold=killed))
    [job] = [job["id"] for job in cluster.jobs("RUNNING") if "latent.tiny_sd14" in job["comment"]]
    group = cluster.slurm("scontrol", "show", "job", job)
    training.kill()
    assert head.wait(300) == 0
    sent = [job["comment"] for job in cluster.jobs() if job["id"] not in known]
    return Packed(folder, group, sent, (folder / "head.log").read_text(), done, killed)


def test_it_ends_with_the_bytes_of_a_local_one(packed, local):
    assert bytes_of(packed.folder) == bytes_of(local)


def test_the_folds_of_a_cell_share_a_job(packed):
    cells = ["image.original.image", "latent.tiny_sd14.latent", "reconstruction.tiny_sd14.image"]
    groups = [f"rule_second.{cell}_train_classifier" for cell in cells]
    assert sorted({comment for comment in packed.sent if "train" in comment}) == groups
    assert len(packed.sent) == 3 + 3 + 1  # dataset, folds, encoding; the groups; the one with the killed training again


def test_a_group_asks_for_what_one_member_needs_and_for_the_time_of_all(packed):
    assert "TresPerJob=gres:gpu:1" in packed.group
    assert re.search(r"NumCPUs=4 ", packed.group)
    assert "mem=6000M" in packed.group
    assert "TimeLimit=01:00:00" in packed.group  # 30 minutes each


def test_a_fold_that_fails_is_repeated_and_a_finished_one_is_not(packed):
    assert "Error in group second.latent.tiny_sd14.latent" in packed.told
    assert "died with <Signals.SIGKILL: 9>" in log_of_failure(packed.told)
    logs = packed.folder / RESULTS / "logs/train_classifier"
    assert "reused as it is" in (logs / f"second.latent.tiny_sd14.latent.{packed.done}.log").read_text()
    assert "epoch 1/" in (logs / f"second.latent.tiny_sd14.latent.fold{packed.killed}.log").read_text()
