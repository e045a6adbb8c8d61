"""Before the first job: jobs of a killed head are not submitted again, and no request that cannot be met."""

import os
import shutil
import signal

import pytest

from learnability import slurm_preflight, slurm_requests
from learnability.slurm_requests import Request
from tests.conftest import copy_checkout, snakemake

STUDY = ("--configfile", "tests/studies/wet.yaml", "tests/studies/one_phantom.yaml", "--")
FOLDS = "results/one_phantom/folds/second.parquet"
CELL = "second.image.original.image"
RUN = "results/one_phantom/runs/second/image/original/image/fold0"
TARGET = f"{RUN}/metrics.json"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A checkout whose images and folds are there, made without SLURM."""
    folder = copy_checkout(tmp_path_factory.mktemp("prepared") / "study")
    snakemake("--profile", "profiles/local", "--cores", "1", *STUDY, FOLDS, folder=folder)
    return folder


@pytest.fixture
def folder(prepared, tmp_path):
    return shutil.copytree(prepared, tmp_path / "study", symlinks=True)


def training(cluster):
    """The job that trains, as soon as it runs."""
    return cluster.wait_for(lambda: [job for job in cluster.jobs("RUNNING") if CELL in job["comment"]], 300)[0]


@pytest.fixture
def asked(cluster, monkeypatch, tmp_path):
    """The real commands, from this process; `asked(options)` is what becomes of a request."""
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def ask_for(options, estimated=False):
        command = f"sbatch --parsable --job-name x --output /dev/null --comment x {options}"
        return slurm_requests.check_requests({Request(command, estimated): ["train_classifier"]})

    return ask_for


def digest_of(folder):
    return {name: (folder / RUN / name).read_bytes() for name in ("predictions.parquet", "model.safetensors")}


def test_after_a_killed_head_nothing_runs_twice_and_the_bytes_are_the_same(cluster, folder, prepared, tmp_path):
    head = cluster.start(folder, *STUDY, TARGET)
    job = training(cluster)
    cluster.slurm("scontrol", "suspend", job["id"])  # it lives for as long as the test needs it

    second = cluster.snakemake(*STUDY, TARGET, folder=folder, code=None)
    assert f"goes on: `kill -INT {head.pid}` stops it and its jobs" in second
    assert "LockException" in second
    assert "then again without" not in second

    head.send_signal(signal.SIGKILL)
    head.wait()
    refused = cluster.snakemake(*STUDY, TARGET, folder=folder, code=None)
    assert f"Its head process {head.pid} on " in refused
    assert "was killed. Wait for the jobs" in refused
    assert f"{job['id']}  SUSPENDED  root  rule_{CELL}" in refused
    assert "Then type the same command with --unlock, then again without" in refused

    assert "Unlocked working directory" in cluster.snakemake("--unlock", *STUDY, TARGET, folder=folder)
    before = len(cluster.jobs())
    again = cluster.snakemake(*STUDY, TARGET, folder=folder, code=None)
    assert "The study cannot start:\n  - SLURM still has 1 job(s) of an earlier run of this study" in again
    assert f"scancel --name={job['name']}`" in again
    assert len(cluster.jobs()) == before

    cluster.slurm("scancel", f"--name={job['name']}")
    cluster.snakemake(*STUDY, TARGET, folder=folder)
    assert not list((folder / slurm_preflight.MARKS).glob("*"))
    logs = [path.read_text() for path in folder.glob(".snakemake/slurm_logs/**/*.log")]
    assert logs
    assert not any("SLURM still has" in text or "folder is locked" in text for text in logs)

    undisturbed = shutil.copytree(prepared, tmp_path / "undisturbed", symlinks=True)
    snakemake("--profile", "profiles/local", "--cores", "1", *STUDY, TARGET, folder=undisturbed)
    assert digest_of(folder) == digest_of(undisturbed)


def test_what_an_unattended_job_finishes_is_kept(cluster, folder):
    head = cluster.start(folder, *STUDY, TARGET)
    training(cluster)
    head.send_signal(signal.SIGKILL)
    head.wait()
    cluster.wait_for(lambda: not cluster.alive(), 300)
    written = (folder / TARGET).stat().st_mtime_ns
    refused = cluster.snakemake(*STUDY, TARGET, folder=folder, code=None)
    assert "was killed, and no job of it is in the queue" in refused
    assert "with --unlock" in refused
    cluster.snakemake("--unlock", *STUDY, TARGET, folder=folder)
    cluster.snakemake(*STUDY, TARGET, folder=folder)
    assert (folder / TARGET).stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            ["--set-resources", "prepare_dataset:gpu=3"],
            "SLURM on prepare_dataset (1 job(s)), `-p cpu -t 240 --mem 8000",
        ),
        # Without a slot of its own each, the members of a group ask for the sum.
        (["--set-resources", "train_classifier:gpu=2"], "--gpus=4`: Requested node configuration is not available"),
    ],
)
def test_a_request_that_no_node_meets_stops_the_run_before_its_first_job(cluster, folder, changes, expected):
    targets = [TARGET, TARGET.replace("fold0", "fold1")]
    changes += ["--forcerun", "make_folds"]
    output = cluster.snakemake(*changes, *STUDY, *targets, folder=folder, code=None)
    assert "The study cannot start:" in output
    assert expected in output
    assert not cluster.jobs()
    assert not list((folder / slurm_preflight.MARKS).glob("*"))
    assert not (folder / ".snakemake/locks").exists()
    assert "cannot start" not in cluster.snakemake("-n", *changes, *STUDY, *targets, folder=folder)


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
def test_a_node_that_is_away_is_waited_for_and_an_impossible_request_still_refused(cluster, asked, state):
    cluster.slurm("scontrol", "update", f"nodename={cluster.node}", f"state={state}", "reason=test")
    refused, (warning,) = asked("-p gpu -t 10 --mem 100 --gpus=1")
    assert refused == []
    assert "it will wait for nodes that are down or drained" in warning
    assert len(asked("-p gpu -t 10 --mem 100 --gpus=3")[0]) == 1
    assert cluster.alive() == []  # what was tried is withdrawn


@pytest.mark.usefixtures("asked")
def test_a_controller_that_is_down_is_said_in_a_moment(cluster, folder):
    assert slurm_preflight.why_unreachable() is None
    assert slurm_requests.check_status_queries("squeue", 20) == ([], [])
    assert "keeps no accounts" in slurm_requests.check_status_queries("sacct", 20)[0][0]
    os.kill(cluster.pid("slurmctld"), signal.SIGKILL)
    message = slurm_preflight.why_unreachable()
    assert "the controller does not answer (`scontrol ping`: Slurmctld(primary) at" in message
    assert message in cluster.snakemake(*STUDY, TARGET, folder=folder, code=None)
