"""A one-node SLURM cluster for the tests in this folder, with the distribution's own daemons.

A test asks for `cluster` (a tests.slurm_cluster.Cluster). The daemons start once per session. Without the packages or
root, or with another cluster's configuration in /etc/slurm, the tests are skipped and say why. After every test the
queue is empty and the node is up again, however the test ended.

    def test_x(cluster, encoded):
        head = cluster.start(encoded, "table1")      # a small study through profiles/slurm, in the background
        cluster.wait_for(lambda: cluster.jobs("RUNNING"))
        head.send_signal(signal.SIGKILL)
        assert cluster.jobs("RUNNING")               # the jobs run on: [{"id", "name", "state", "reason", "comment"}]
        cluster.snakemake("table1", folder=encoded)  # to its end; returns what it printed, see tests.conftest.run
        cluster.slurm("scontrol", "update", ...)     # any command of SLURM

The study (`STUDY`) has one phantom, one autoencoder, two folds and three cells, so three groups of two trainings.
`local` is a checkout in which it ran on this machine without SLURM; `encoded` is a copy of it without the trainings.

Simultaneous sessions wait for one another. To run two at once on a machine, give the second its own mount namespace,
folder and ports:

    export SLURM_ROOT=/tmp/second SLURM_CTLD_PORT=17817 SLURM_D_PORT=17818 SLURM_SRUN_PORTS=17900-17999
    mkdir -p $SLURM_ROOT/etc
    unshare -m --propagation private sh -c 'mount --bind $SLURM_ROOT/etc /etc/slurm && exec pytest tests/slurm'
"""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.conftest import copy_checkout, snakemake
from tests.slurm_cluster import RESULTS, STUDY, Cluster, control


@pytest.fixture(scope="session")
def one_node_slurm():
    """Run the daemons from the first test that needs them to the end of the session."""
    if missing := [name for name in ("sbatch", "slurmctld", "slurmd", "munged") if not shutil.which(name)]:
        pytest.skip(f"no {', '.join(missing)} here: apt-get install --no-install-recommends slurm-wlm munge")
    if os.geteuid() != 0:
        pytest.skip("the daemons of SLURM need root")
    root = Path(os.environ.get("SLURM_ROOT", f"{tempfile.gettempdir()}/learnability-slurm"))  # short: it holds sockets
    with open(f"{root}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # simultaneous sessions take turns, such as the workers of pytest-xdist
        started = control("start", root)
        if "belongs to another cluster" in started.stdout:
            pytest.skip(f"this machine has a SLURM of its own: {started.stdout.strip()}")
        assert started.returncode == 0, started.stdout
        try:
            yield Cluster(root)
        finally:
            control("stop", root)


@pytest.fixture(scope="session")
def local(tmp_path_factory) -> Path:
    """A checkout in which the study ran without SLURM; every byte is compared with it."""
    folder = copy_checkout(tmp_path_factory.mktemp("local") / "checkout")
    snakemake("--profile", "profiles/local", "--cores", "2", *STUDY, folder=folder)
    return folder


@pytest.fixture
def encoded(local, tmp_path) -> Path:
    """A copy of `local` with everything before the trainings, but no training."""
    folder = tmp_path / "checkout"
    shutil.copytree(local, folder, symlinks=True)
    for name in ("runs", "tables", "significance", "logs/train_classifier"):
        shutil.rmtree(folder / RESULTS / name)
    return folder


@pytest.fixture
def cluster(one_node_slurm):
    """The cluster, with an empty queue before and after the test."""
    one_node_slurm.empty()
    yield one_node_slurm
    one_node_slurm.empty()
