"""The two example sites, laid over the shipped profile: which partition a job goes to, and how it asks for its GPU."""

import pytest

from tests.slurm_cluster import CELL, assert_same_cell

pytestmark = pytest.mark.slurm_faults
GPU = {"slurm_site": "TresPerJob=gres:gpu:1", "slurm_site_gres": "TresPerNode=gres:gpu:fake:1"}


@pytest.mark.parametrize("site", GPU)
def test_a_training_goes_to_the_gpu_partition_and_a_fold_alone_too(cluster, encoded, local, site):
    profile = encoded / "profiles" / site / "config.yaml"
    profile.write_text(profile.read_text().replace("h100", "fake"))  # the model that this cluster has
    head = cluster.start(encoded, "--profile", f"profiles/{site}", "--", str(CELL / "fold0/metrics.json"))
    [job] = cluster.wait_for(cluster.alive)
    shown = cluster.slurm("scontrol", "show", "job", job["id"])
    assert GPU[site] in shown
    assert "Partition=gpu" in shown
    assert head.wait(300) == 0
    assert_same_cell(encoded, local, folds=(0,))
