"""A one-node SLURM cluster for the tests of this folder: the distribution's own daemons, nothing imitated.

A test asks for `cluster` (a `Cluster`, below). The daemons start once per session; where the packages or root are
missing, or another cluster's configuration lies in /etc/slurm, its tests are skipped and say why. After every test the
queue is empty and the node is back, however the test ended.

    def test_x(cluster, tmp_path):
        head = cluster.start(folder, "table1")      # Snakemake through profiles/slurm, in the background
        cluster.wait_for(lambda: cluster.jobs("RUNNING"))
        head.send_signal(signal.SIGKILL)
        assert cluster.jobs("RUNNING")              # the jobs run on: [{"id", "name", "state", "reason", "comment"}]
        cluster.snakemake("table1", folder=folder)  # to its end; returns what it printed, see tests.conftest.run
        cluster.slurm("scontrol", "update", ...)    # any command of SLURM

Sessions side by side wait for one another. To run two at once on one machine, give the second a mount namespace, a
folder and ports of its own:

    export SLURM_ROOT=/tmp/second SLURM_CTLD_PORT=17817 SLURM_D_PORT=17818 SLURM_SRUN_PORTS=17900-17999
    mkdir -p $SLURM_ROOT/etc
    unshare -m --propagation private sh -c 'mount --bind $SLURM_ROOT/etc /etc/slurm && exec pytest tests/slurm'
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.conftest import run, snakemake

SCRIPT = Path(__file__).with_name("one-node-slurm.sh")
# The made-up node has room for what the shipped profile asks for real trainings; two real cores run two jobs at a time.
SIZE = {"SLURM_CPUS": "64", "SLURM_MEM_MB": "256000", "SLURM_GPUS": "2"}
# What the tests change of the shipped profile: how often it looks, and how many jobs it sends at once.
FAST = ("--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "5", "--jobs", "2")


class Cluster:
    """The running cluster: its jobs, its commands, and Snakemake through the shipped profile."""

    def __init__(self, root: Path):
        self.root = root
        self.environment = {"SLURM_CONF": str(root / "slurm.conf"), "OMP_NUM_THREADS": "1"}

    def slurm(self, *command: str) -> str:
        """What a command of SLURM prints; it must succeed."""
        return run(*command, **self.environment)

    def pid(self, daemon: str) -> int:
        return int((self.root / f"{daemon}.pid").read_text())

    def jobs(self, *states: str) -> list[dict[str, str]]:
        """The jobs that SLURM still lists, those that ended in the last minutes too; or only those of some states."""
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
        """Run Snakemake in `folder` through the shipped profile; `options` as of tests.conftest.run."""
        return snakemake("--profile", "slurm", *FAST, *arguments, folder=folder, **self.environment | options)

    def start(self, folder: Path, *arguments: str, log: Path | None = None, **environment: str) -> subprocess.Popen:
        """The same in the background, in a process group of its own; its output goes to `log`, default head.log."""
        command = [sys.executable, "-m", "snakemake", "--profile", "slurm", *FAST, *arguments]
        path = {"PYTHONPATH": str(folder / "workflow/src")}
        with open(log or folder / "head.log", "w") as output:
            return subprocess.Popen(
                command,
                cwd=folder,
                env=os.environ | path | self.environment | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # What a shell starts in the background ignores Ctrl-C, and its children inherit that.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    def empty(self) -> None:
        """No job is left, and the node takes new ones; a daemon that a test ended is started again."""
        control("start", self.root)
        self.slurm("scancel", "-f", "-u", "root")
        self.wait_for(lambda: not self.alive(), 60)
        if self.node_state() != "idle":
            # SLURM refuses to resume a node that has come back by itself.
            resume = ["scontrol", "update", f"nodename={self.node}", "state=resume"]
            subprocess.run(resume, env=os.environ | self.environment, stderr=subprocess.DEVNULL, check=False)
        self.wait_for(lambda: self.node_state() == "idle", 60)

    @property
    def node(self) -> str:
        return self.slurm("sinfo", "-h", "-N", "-p", "cpu", "-o", "%N").strip()

    def node_state(self) -> str:
        """Such as `idle`, `mixed`, `draining`, `down*`."""
        return self.slurm("sinfo", "-h", "-N", "-p", "cpu", "-o", "%T").strip()


def control(command: str, root: Path) -> subprocess.CompletedProcess:
    """Start or stop the daemons; the sizes go to this command alone, because srun reads SLURM_GPUS as an option."""
    environment = os.environ | SIZE | {"SLURM_ROOT": str(root)}
    # The daemons would hold a pipe open for ever.
    with tempfile.TemporaryFile("w+") as output:
        options = {"stdout": output, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL, "check": False}
        done = subprocess.run([str(SCRIPT), command], env=environment, **options)
        output.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, output.read())


@pytest.fixture(scope="session")
def one_node_slurm():
    """The daemons, from the first test that needs them to the end of the session."""
    if missing := [name for name in ("sbatch", "slurmctld", "slurmd", "munged") if not shutil.which(name)]:
        pytest.skip(f"no {', '.join(missing)} here: apt-get install --no-install-recommends slurm-wlm munge")
    if os.geteuid() != 0:
        pytest.skip("the daemons of SLURM need root")
    root = Path(os.environ.get("SLURM_ROOT", f"{tempfile.gettempdir()}/learnability-slurm"))  # short: it holds sockets
    with open(f"{root}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # sessions side by side take turns, such as the workers of pytest-xdist
        started = control("start", root)
        if "belongs to another cluster" in started.stdout:
            pytest.skip(f"this machine has a SLURM of its own: {started.stdout.strip()}")
        assert started.returncode == 0, started.stdout
        try:
            yield Cluster(root)
        finally:
            control("stop", root)


@pytest.fixture
def cluster(one_node_slurm):
    """The cluster with an empty queue, before the test and after it."""
    one_node_slurm.empty()
    yield one_node_slurm
    one_node_slurm.empty()
