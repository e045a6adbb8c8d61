"""Parts of a study on the cluster, asked for by wildcard: each runs its own jobs and no others."""

import pytest

from tests.conftest import job_counts
from tests.slurm_cluster import CELL, STUDY, assert_same_cell

pytestmark = pytest.mark.slurm_faults


def trained(output: str) -> int:
    return job_counts(output).get("train_classifier", 0)


def test_a_study_grows_part_by_part(cluster, encoded, local, tmp_path):
    def part(*arguments):
        return cluster.snakemake(*arguments, folder=encoded)

    fold = str(CELL / "fold1/metrics.json")
    assert trained(part("--", fold)) == 1  # one fold
    assert trained(part("--", "train/second/latent/tiny_sd14")) == 1  # the autoencoder's latents: its other fold
    assert trained(part("--", "train/second")) == 4  # the dataset: image and reconstruction space
    assert trained(part("-n", "--", "train/second")) == 0
    before = (encoded / fold).stat().st_mtime_ns
    assert trained(part("--forcerun", fold, "--", fold)) == 1  # that fold again, whatever exists
    assert (encoded / fold).stat().st_mtime_ns > before
    assert "reused as it is" not in (encoded / log_of(1)).read_text()
    assert_same_cell(encoded, local)

    changed, grown = tmp_path / "changed.yaml", tmp_path / "grown.yaml"
    changed.write_text("recipes: {latent: {mask: 0.3}}\n")
    counts = job_counts(part(*STUDY, str(changed), "--", "train/second"))
    assert counts == {"train_classifier": 2, "train/second": 1}  # the recipe's own runs
    grown.write_text("recipes: {latent: {mask: 0.3}}\nstudy: {autoencoders: [tiny_sd14, pixel_unshuffle_8]}\n")
    counts = job_counts(part(*STUDY, str(grown), "--", "train/second"))
    assert counts == {"encode_dataset": 1, "train_classifier": 4, "train/second": 1}  # the new autoencoder's own


def log_of(fold: int) -> str:
    return f"results/one_phantom/logs/train_classifier/second.latent.tiny_sd14.latent.fold{fold}.log"
