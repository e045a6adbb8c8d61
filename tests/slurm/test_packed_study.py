"""A study through the shipped SLURM profile, the folds of a cell packed: the bytes are those of a local run."""

import re

from tests.conftest import copy_checkout
from tests.slurm_cluster import RESULTS, assert_same_cell, bytes_of, log_of_failure, training_of


def test_a_packed_study_gives_the_bytes_of_a_local_one(cluster, local, tmp_path):
    folder = copy_checkout(tmp_path / "checkout")
    known = {job["id"] for job in cluster.jobs()}
    cluster.snakemake(folder=folder)
    assert bytes_of(folder) == bytes_of(local)
    sent = [job["comment"] for job in cluster.jobs() if job["id"] not in known]
    cells = ["image.original.image", "latent.tiny_sd14.latent", "reconstruction.tiny_sd14.image"]
    packed = [f"rule_second.{cell}_train_classifier" for cell in cells]
    assert sorted(comment for comment in sent if "train" in comment) == packed
    assert len(sent) == 3 + 3  # dataset, folds, encoding


def test_a_group_asks_for_what_one_member_needs_and_for_the_time_of_all(cluster, encoded):
    head = cluster.start(encoded, "train/second/latent/tiny_sd14")
    [job] = cluster.wait_for(cluster.alive)
    shown = cluster.slurm("scontrol", "show", "job", job["id"])
    assert "TresPerJob=gres:gpu:1" in shown
    assert re.search(r"NumCPUs=4 ", shown)
    assert "mem=6000M" in shown
    assert "TimeLimit=01:00:00" in shown  # 30 minutes each
    assert head.wait(120) == 0


def test_a_fold_that_fails_once_is_repeated_and_a_finished_one_is_not(cluster, encoded, local):
    head = cluster.start(encoded, "train/second/latent/tiny_sd14")
    runs = encoded / RESULTS / "runs/second/latent/tiny_sd14/latent"
    done = cluster.wait_for(lambda: list(runs.glob("fold*/metrics.json")))[0].parent.name  # either may be the first
    failing = 1 - int(done.removeprefix("fold"))
    cluster.wait_for(lambda: training_of(encoded, fold=failing)).kill()
    assert head.wait(180) == 0
    told = (encoded / "head.log").read_text()
    assert "Error in group second.latent.tiny_sd14.latent" in told
    assert "died with <Signals.SIGKILL: 9>" in log_of_failure(told)
    logs = encoded / RESULTS / "logs/train_classifier"
    assert "taken as it is" in (logs / f"second.latent.tiny_sd14.latent.{done}.log").read_text()
    assert "epoch 1/" in (logs / f"second.latent.tiny_sd14.latent.fold{failing}.log").read_text()
    assert_same_cell(encoded, local)
