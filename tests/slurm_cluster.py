"""A one-node SLURM cluster under a test, and a small study on it; the fixtures are in tests/slurm/conftest.py."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.conftest import run, snakemake

SCRIPT = Path(__file__).parent / "slurm" / "one-node-slurm.sh"
# The made-up node has room for the shipped profile's requests; two real cores run two jobs at a time.
SIZE = {"SLURM_CPUS": "64", "SLURM_MEM_MB": "256000", "SLURM_GPUS": "2"}
# Changes to the shipped profile for tests: how often it looks, and how long it waits for files.
FAST = ("--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "5")
STUDY = ("--configfile", "tests/studies/wet.yaml", "tests/studies/one_phantom.yaml")
RESULTS = Path("results/one_phantom")
CELL = RESULTS / "runs/second/latent/tiny_sd14/latent"  # two folds, one group


class Cluster:
    """The running cluster: its jobs, its commands, and Snakemake through the shipped profile."""

    def __init__(self, root: Path):
        self.root = root
        self.heads: list[subprocess.Popen] = []
        self.environment = {"SLURM_CONF": str(root / "slurm.conf"), "OMP_NUM_THREADS": "1"}
        self.environment["LEARNABILITY_DEVICE"] = "cpu"  # its GPUs are made up

    def slurm(self, *command: str) -> str:
        """The output of a SLURM command, which must succeed."""
        return run(*command, **self.environment)

    def pid(self, daemon: str) -> int:
        return int((self.root / f"{daemon}.pid").read_text())

    def jobs(self, *states: str) -> list[dict[str, str]]:
        """The jobs that SLURM still lists, also those that ended in the last minutes; or only those in some states."""
        fields = ("id", "name", "state", "reason", "comment")
        lines = self.slurm("squeue", "-h", "-t", "all", "-o", "%i|%j|%T|%r|%k").splitlines()
        jobs = [dict(zip(fields, line.split("|", 4), strict=True)) for line in lines]
        return [job for job in jobs if not states or job["state"] in states]

    def alive(self) -> list[dict[str, str]]:
        return self.jobs("PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED")

    def wait_for(self, condition, seconds: float = 120):
        """Poll until `condition()` is true, and return its value."""
        end = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < end, f"waited {seconds} s in vain; the queue: {self.jobs()}"
            time.sleep(0.1)
        return value

    def snakemake(self, *arguments: str, folder: Path, **options) -> str:
        """Run the study in `folder` through the shipped profile; `options` are those of tests.conftest.run.

        Snakemake options come before the targets, with `--` between them: cluster.snakemake("-n", "--", "train/x").
        """
        return snakemake("--profile", "slurm", *STUDY, *FAST, *arguments, folder=folder, **self.environment | options)

    def start(self, folder: Path, *arguments: str, log: Path | None = None, **environment: str) -> subprocess.Popen:
        """As `snakemake`, in the background and in its own process group; output goes to `log` (default head.log)."""
        command = [sys.executable, "-m", "snakemake", "--profile", "slurm", *STUDY, *FAST, *arguments]
        path = {"PYTHONPATH": str(folder / "workflow/src")}
        with open(log or folder / "head.log", "w") as output:
            head = subprocess.Popen(
                command,
                cwd=folder,
                env=os.environ | path | self.environment | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # A process that a shell starts in the background ignores Ctrl-C, and its children inherit that.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        self.heads.append(head)
        return head

    def empty(self) -> None:
        """Remove every head, job and job process; the node takes jobs, and a daemon that a test ended runs again."""
        while self.heads:  # left by a failed test, it would go on sending jobs
            head = self.heads.pop()
            head.kill()
            head.wait()
        control("start", self.root)
        self.slurm("scancel", "-f", "-u", "root")
        self.wait_for(lambda: not self.alive(), 60)
        self.end_what_slurm_gave_up()
        self.wait_for(lambda: self.node_state() == "idle", 60)

    def end_what_slurm_gave_up(self) -> None:
        """Kill the processes of jobs that no longer exist: those on a node that went down keep running."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                environment = process.environ()
                if "SLURM_JOB_ID" in environment and environment.get("SLURM_CONF") == self.environment["SLURM_CONF"]:
                    process.kill()

    @property
    def node(self) -> str:
        return self.slurm("sinfo", "-h", "-N", "-p", "cpu", "-o", "%N").strip()

    def node_state(self) -> str:
        """The state of the node, such as `idle`, `mixed`, `draining` or `down*`."""
        return self.slurm("sinfo", "-h", "-N", "-p", "cpu", "-o", "%T").strip()


def control(command: str, root: Path) -> subprocess.CompletedProcess:
    """Start or stop the daemons; only this command gets the sizes, because srun reads SLURM_GPUS as an option."""
    environment = os.environ | SIZE | {"SLURM_ROOT": str(root)}
    # The daemons would keep a pipe open for ever.
    with tempfile.TemporaryFile("w+") as output:
        options = {"stdout": output, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL, "check": False}
        done = subprocess.run([str(SCRIPT), command], env=environment, **options)
        output.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, output.read())


def bytes_of(folder: Path) -> dict[str, bytes]:
    """The bytes in `folder` that must repeat: of tables, tests, predictions and weights."""
    results = folder / RESULTS
    patterns = ("tables/*", "significance/*", "runs/**/predictions.parquet", "runs/**/model.safetensors")
    paths = [path for pattern in patterns for path in results.glob(pattern) if ".finished" not in path.parts]
    return {str(path.relative_to(results)): path.read_bytes() for path in paths}


def training_of(folder: Path, fold: int) -> psutil.Process | None:
    """The process that now trains the latent cell's `fold`, found by its log."""
    log = folder / RESULTS / f"logs/train_classifier/second.latent.tiny_sd14.latent.fold{fold}.log"
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if "train_classifier.py" in " ".join(process.cmdline()) and os.readlink(f"/proc/{process.pid}/fd/1") == str(
                log
            ):
                return process
    return None


def assert_same_cell(folder: Path, local: Path, folds: tuple[int, ...] = (0, 1), cell: Path = CELL) -> None:
    """The runs of a cell in `folder` have the bytes of the local ones."""
    for path in [
        cell / f"fold{fold}" / name for fold in folds for name in ("predictions.parquet", "model.safetensors")
    ]:
        assert (folder / path).read_bytes() == (local / path).read_bytes(), path


def log_of_failure(told: str) -> str:
    """The text of the allocation's log, which Snakemake names when a SLURM job fails."""
    return Path(re.search(r"log: (\S+/\d+\.log) \(check log file", told)[1]).read_text()
