"""Before the first job: jobs of a killed head are not submitted again, nor are requests that cannot be met."""

import os
import signal

import pytest

from learnability.workflow import slurm_preflight, slurm_requests
from learnability.workflow.slurm_requests import Request
from tests.slurm_cluster import CELL, assert_same_cell, training_of

pytestmark = pytest.mark.slurm_faults
TARGET = "train/second/latent/tiny_sd14"


@pytest.fixture
def asked(cluster, monkeypatch, tmp_path):
    """Run the real commands from this process; `asked(options)` returns what becomes of a request."""
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def ask_for(options, estimated=False):
        command = f"sbatch --parsable --job-name x --output /dev/null --comment x {options}"
        return slurm_requests.check_requests({Request(command, estimated): ["train_classifier"]})

    return ask_for


def test_while_jobs_of_a_killed_head_live_nothing_is_sent_again(cluster, encoded, local):
    head = cluster.start(encoded, TARGET)
    cluster.wait_for(lambda: training_of(encoded, fold=0), 300)
    job = cluster.jobs("RUNNING")[-1]
    cluster.slurm("scontrol", "suspend", job["id"])  # it lives for as long as the test needs it

    second = cluster.snakemake("--", TARGET, folder=encoded, code=None)
    assert f"goes on: `kill -INT {head.pid}` stops it and its jobs" in second
    assert "LockException" in second
    assert "then again without" not in second

    head.kill()
    head.wait()
    refused = cluster.snakemake("--", TARGET, folder=encoded, code=None)
    assert f"Its head process {head.pid} on " in refused
    assert "was killed. Wait for the jobs" in refused
    assert f"{job['id']}  SUSPENDED  root  rule_second.latent.tiny_sd14.latent" in refused
    assert "Then type the same command with --unlock, then again without" in refused

    assert "Unlocked working directory" in cluster.snakemake("--unlock", "--", TARGET, folder=encoded)
    again = cluster.snakemake("--rerun-incomplete", "--", TARGET, folder=encoded, code=None)
    assert "The study cannot start:\n  - SLURM still has 1 job(s) of an earlier run of this study" in again
    assert f"scancel --name={job['name']}`" in again
    assert [row["id"] for row in cluster.alive()] == [job["id"]]

    cluster.slurm("scancel", f"--name={job['name']}")
    cluster.snakemake("--", TARGET, folder=encoded)  # waits for what is just ending
    assert_same_cell(encoded, local)
    assert not list((encoded / slurm_preflight.MARKS).glob("*"))
    logs = [path.read_text() for path in encoded.glob(".snakemake/slurm_logs/**/*.log")]
    assert logs
    assert not any("SLURM still has" in text or "folder is locked" in text for text in logs)  # jobs ask for nothing


def test_the_lock_of_a_killed_head_whose_jobs_have_ended_is_explained(cluster, encoded):
    head = cluster.start(encoded, TARGET)
    cluster.wait_for(cluster.alive, 300)
    head.kill()
    head.wait()
    cluster.slurm("scancel", "--user=root")
    cluster.wait_for(lambda: not cluster.alive())
    refused = cluster.snakemake("--", TARGET, folder=encoded, code=None)
    assert f"Its head process {head.pid} on " in refused
    assert "was killed, and no job of it is in the queue" in refused
    assert "LockException" in refused


def test_the_sum_of_a_group_is_tried_before_the_first_job(cluster, encoded):
    """Members that need no slot run side by side, so their group asks for the sum: no sbatch text would show it."""
    changes = ("--set-resources", "train_classifier:gpu=2", "train_classifier:slot=0", "--")
    output = cluster.snakemake(*changes, TARGET, folder=encoded, code=None)
    assert "The study cannot start:\n  - SLURM on train_classifier (2 job(s)), `-p " in output
    assert "--gpus=4`: Requested node configuration is not available. The rule or the profile asks" in output
    assert not cluster.alive()
    assert not (encoded / CELL).exists()
    assert not list((encoded / slurm_preflight.MARKS).glob("*"))
    assert not (encoded / ".snakemake/locks").exists()
    assert "cannot start" not in cluster.snakemake("-n", *changes, TARGET, folder=encoded)


def test_requests_on_the_real_controller(cluster, asked):
    assert asked("-p gpu -t 10 --mem 100 --gpus=2") == ([], [])
    (message,), _ = asked("-p gpu -t 10 --mem 100 --gpus=3")
    assert "Requested node configuration is not available" in message
    (message,), _ = asked("-p nowhere -t 10")
    assert "invalid partition specified: nowhere" in message
    (message,), _ = asked("-p cpu -C a_feature")
    assert "Invalid feature specification" in message
    assert [len(texts) for texts in asked("-p cpu -t 10 --mem 99999999", estimated=True)] == [0, 1]
    assert [len(texts) for texts in asked("-p cpu -t 10 --mem 99999999 --gpus=3", estimated=True)] == [1, 0]
    assert cluster.alive() == []


def test_more_time_than_the_partition_has(cluster, asked):
    cluster.slurm("scontrol", "update", "partition=gpu", "maxtime=60")
    try:
        (message,), _ = asked("-p gpu -t 61 --mem 100")
        assert "the partition ends every job after 1:00:00" in message
        assert asked("-p gpu -t 60 --mem 100") == ([], [])
    finally:
        cluster.slurm("scontrol", "update", "partition=gpu", "maxtime=infinite")


@pytest.mark.parametrize("state", ["drain", "down"])
def test_a_node_that_is_away_is_a_warning_and_what_it_is_no_reason_of_is_refused(cluster, asked, state):
    cluster.slurm("scontrol", "update", f"nodename={cluster.node}", f"state={state}", "reason=test")
    refused, (warning,) = asked("-p gpu -t 10 --mem 100 --gpus=1")
    assert refused == []
    assert f"it will wait for nodes that are down or drained: {cluster.node} (`sinfo -R`)" in warning
    assert len(asked("-p nowhere -t 10")[0]) == 1
    assert cluster.alive() == []


@pytest.mark.usefixtures("asked")
def test_a_controller_that_is_down_is_said_in_a_moment(cluster):
    assert slurm_preflight.why_unreachable() is None
    assert slurm_requests.check_status_queries("squeue", 20) == ([], [])
    assert "keeps no accounts" in slurm_requests.check_status_queries("sacct", 20)[0][0]
    controller = cluster.pid("slurmctld")
    os.kill(controller, signal.SIGTERM)
    cluster.wait_for(lambda: not os.path.exists(f"/proc/{controller}"))
    assert "the controller does not answer (`scontrol ping`: Slurmctld(primary) at" in slurm_preflight.why_unreachable()
