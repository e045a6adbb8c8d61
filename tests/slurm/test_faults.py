"""What can happen to a job, its node, the controller and the head process: what is told, and the same bytes after it.

Every test trains the two folds of one cell, packed in one allocation, while something goes wrong.
"""

import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from tests.conftest import snakemake
from tests.slurm_cluster import CELL, RESULTS, STUDY, assert_same_cell, control, log_of_failure, training_of

pytestmark = pytest.mark.slurm_faults
TARGET = "train/second/latent/tiny_sd14"
IMAGES = RESULTS / "runs/second/image/original/image"


def told(folder):
    return (folder / "head.log").read_text()


def begin(cluster, folder, *arguments):
    """Start the cell; returns the head process and the job of SLURM in which fold 0 trains."""
    head = cluster.start(folder, *(arguments or (TARGET,)))
    cluster.wait_for(lambda: training_of(folder, fold=0))
    return head, cluster.jobs("RUNNING")[-1]["id"]


def state_of(cluster, job):
    return next(row["state"] for row in cluster.jobs() if row["id"] == job)


def test_a_job_that_takes_too_much_memory_is_repeated_with_more(cluster, encoded, local):
    """A site without control groups says this; with them the state is OUT_OF_MEMORY."""
    known = {job["id"] for job in cluster.jobs()}
    requests = ("--set-resources", "train_classifier:slot=1", "train_classifier:mem_mb=350*attempt**4")
    output = cluster.snakemake(*requests, "--", TARGET, folder=encoded)
    assert "Error in group second.latent.tiny_sd14.latent" in output
    assert "exceeded memory limit" in log_of_failure(output)
    assert sorted(job["state"] for job in cluster.jobs() if job["id"] not in known) == ["COMPLETED", "FAILED"]
    assert_same_cell(encoded, local)


def test_a_job_that_takes_too_much_time_is_repeated_with_more(cluster, encoded, local):
    """The training hangs and ignores signals, and its time limit is one minute."""
    changed = ("slot=1", "runtime=attempt**3", "slurm_extra=''")
    requests = ("--set-resources", *(f"train_classifier:{value}" for value in changed))
    head, job = begin(cluster, encoded, *requests, "--", str(CELL / "fold0/metrics.json"))
    training_of(encoded, fold=0).suspend()
    assert head.wait(300) == 0
    assert state_of(cluster, job) == "TIMEOUT"
    assert "DUE TO TIME LIMIT" in log_of_failure(told(encoded))
    assert_same_cell(encoded, local, folds=(0,))


def test_a_job_that_someone_cancels_is_repeated(cluster, encoded, local):
    head, job = begin(cluster, encoded)
    cluster.slurm("scancel", job)
    assert head.wait(300) == 0
    assert state_of(cluster, job) == "CANCELLED"
    assert "CANCELLED AT" in log_of_failure(told(encoded))
    assert_same_cell(encoded, local)


@pytest.fixture
def long_fold(encoded, tmp_path):
    """The arguments for one fold that trains for a while, and its bytes when nothing happens to it."""
    longer = tmp_path / "longer.yaml"
    longer.write_text("recipes: {latent: {epochs: 300, patience: 300}}\n")
    arguments = (*STUDY, str(longer), "--", str(CELL / "fold0/metrics.json"))
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(encoded, undisturbed, symlinks=True)
    snakemake("--profile", "profiles/local", "--cores", "1", *arguments, folder=undisturbed)
    return arguments, undisturbed


def test_a_training_that_is_preempted_saves_itself_and_goes_on(cluster, encoded, long_fold):
    """SIGTERM, then some grace: SLURM does the same before a job's time is up."""
    arguments, undisturbed = long_fold
    head, job = begin(cluster, encoded, *arguments)
    log = encoded / RESULTS / "logs/train_classifier/second.latent.tiny_sd14.latent.fold0.log"
    cluster.wait_for(lambda: "epoch 2/" in log.read_text())
    urgent = ("sbatch", "-p", "urgent", "--mem=255000", "--output=/dev/null", "--parsable", "--wrap=sleep 3")
    preempting = cluster.slurm(*urgent).strip()
    assert head.wait(300) == 0
    assert state_of(cluster, job) == "FAILED"  # and not PREEMPTED: it ended by itself, within its grace
    assert state_of(cluster, preempting) == "COMPLETED"
    assert re.search(r"resumed (after|in) epoch \d+", log.read_text())
    assert_same_cell(encoded, undisturbed, folds=(0,))


def test_on_a_drained_node_a_job_ends_in_peace_and_the_next_waits(cluster, encoded, local):
    head = cluster.start(encoded, "--jobs", "1", "--", TARGET, "train/second/image/original")
    [job] = [row["id"] for row in cluster.wait_for(lambda: cluster.jobs("RUNNING"))]  # either cell may be the first
    cluster.slurm("scontrol", "update", f"nodename={cluster.node}", "state=drain", "reason=maintenance")
    # The reason comes with SLURM's next look at the queue; ReqNodeNotAvail is that of a cluster with preemption.
    why = "drained|ReqNodeNotAvail|Resources"
    cluster.wait_for(lambda: any(re.search(why, row["reason"], re.I) for row in cluster.jobs("PENDING")), 180)
    assert state_of(cluster, job) == "COMPLETED"
    cluster.slurm("scontrol", "update", f"nodename={cluster.node}", "state=resume")
    assert head.wait(300) == 0
    assert "Error" not in told(encoded)
    assert_same_cell(encoded, local)
    assert_same_cell(encoded, local, cell=IMAGES)


def test_a_job_whose_node_goes_down_is_repeated_by_snakemake_and_not_by_slurm(cluster, encoded, local):
    head, job = begin(cluster, encoded)
    cluster.slurm("scontrol", "update", f"nodename={cluster.node}", "state=down", "reason=power")
    cluster.wait_for(lambda: state_of(cluster, job) == "NODE_FAIL")
    cluster.slurm("scontrol", "update", f"nodename={cluster.node}", "state=resume")
    assert head.wait(300) == 0
    assert "Error in group second.latent.tiny_sd14.latent" in told(encoded)
    assert len({row["id"] for row in cluster.jobs() if int(row["id"]) >= int(job)}) == 2
    assert_same_cell(encoded, local)


def test_a_controller_that_restarts_is_waited_for(cluster, encoded, local):
    head, _ = begin(cluster, encoded)
    controller = cluster.pid("slurmctld")
    os.kill(controller, signal.SIGTERM)
    cluster.wait_for(lambda: not os.path.exists(f"/proc/{controller}"))
    time.sleep(5)
    control("start", cluster.root)
    assert head.wait(300) == 0
    assert "Error in" not in told(encoded)
    assert_same_cell(encoded, local)


@pytest.fixture
def small_disk(encoded):
    """The folder of the runs on a file system of 16 kB; gives a function that makes it larger."""
    runs = encoded / RESULTS / "runs"
    runs.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", runs], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield lambda: subprocess.run(["mount", "-o", "remount,size=64m", runs], check=True)
    subprocess.run(["umount", "-l", runs], check=True)


def test_a_full_disk_is_named_and_with_space_the_study_goes_on(cluster, encoded, local, small_disk):
    output = cluster.snakemake("--", TARGET, folder=encoded, code=None)
    log = log_of_failure(output)
    assert re.search(r"Error: \[Errno 28\] \S+ could not be written: .*No space left on device", log)
    small_disk()
    cluster.snakemake("--", TARGET, folder=encoded)
    assert_same_cell(encoded, local)


def test_a_request_that_no_node_can_meet_is_named(cluster, encoded, local):
    requests = ("--set-resources", "train_classifier:gpu=3", "train_classifier:slot=1")
    output = cluster.snakemake(*requests, "--", TARGET, folder=encoded, code=None)
    assert "train_classifier" in output
    assert "Requested node configuration is not available" in output
    cluster.snakemake("--", TARGET, folder=encoded)
    assert_same_cell(encoded, local)


def test_ctrl_c_cancels_the_jobs_and_the_same_command_goes_on(cluster, encoded, local):
    head, job = begin(cluster, encoded)
    head.send_signal(signal.SIGINT)
    assert head.wait(120) == 1
    cluster.wait_for(lambda: not cluster.alive())
    assert state_of(cluster, job) in ("CANCELLED", "FAILED")
    cluster.snakemake("--", TARGET, folder=encoded)
    assert_same_cell(encoded, local)


def test_sigterm_lets_running_jobs_end_and_the_same_command_does_the_rest(cluster, encoded, local):
    targets = (TARGET, "train/second/image/original")
    head = cluster.start(encoded, "--jobs", "1", "--", *targets)
    [job] = [row["id"] for row in cluster.wait_for(lambda: cluster.jobs("RUNNING"))]
    head.terminate()
    head.wait(300)
    assert state_of(cluster, job) == "COMPLETED"
    assert "Will exit after finishing currently running jobs" in told(encoded)
    assert [(encoded / cell).exists() for cell in (CELL, IMAGES)].count(True) == 1  # either may be the first
    cluster.snakemake("--", *targets, folder=encoded)
    assert len([row for row in cluster.jobs() if int(row["id"]) > int(job)]) == 1  # only the other cell's
    assert_same_cell(encoded, local)
    assert_same_cell(encoded, local, cell=IMAGES)


def test_after_sigkill_the_jobs_run_on_and_what_they_finish_is_not_done_again(cluster, encoded, local):
    head, job = begin(cluster, encoded)
    head.kill()
    head.wait()
    assert cluster.jobs("RUNNING")
    cluster.wait_for(lambda: not cluster.alive(), 300)
    assert state_of(cluster, job) == "COMPLETED"
    locked = cluster.snakemake("--", TARGET, folder=encoded, code=None)
    assert "--unlock" in locked
    cluster.snakemake("--unlock", "--", TARGET, folder=encoded)
    cluster.snakemake("--", TARGET, folder=encoded)
    assert [row for row in cluster.jobs() if int(row["id"]) > int(job)] == []
    assert_same_cell(encoded, local)
