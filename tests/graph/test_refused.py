"""Requests that Snakemake refuses, with the reason."""

import subprocess
import sys

import pytest

from tests.conftest import copy_checkout, snakemake
from tests.graph.test_other_studies import PER_FOLD


@pytest.mark.parametrize(
    "name", ["encodings/cardium/medvae_ft{}/latents.npy", "weights/cardium/medvae_ft{}/history.csv"]
)
def test_weights_of_no_fold_or_of_a_fold_follow_the_config(checkout, study, name):
    message = "`@fold` goes with finetune.images train_rows_per_fold, and only with it"
    assert message in snakemake("-n", *study(PER_FOLD), f"results/{name.format('')}", folder=checkout, code=None)
    assert message in snakemake("-n", f"results/{name.format('@fold1')}", folder=checkout, code=None)


def test_reconstructions_of_an_autoencoder_without_a_decoder(checkout, study):
    floor = study("study: {autoencoders: [sd14, random_init_8, area_downsample_8]}\n")
    path = "results/encodings/isic2019/random_init_8/reconstructions.npy"
    assert "MissingRuleException" in snakemake("-n", *floor, path, folder=checkout, code=None)


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("table4", "limited_to.table4 names no dataset or autoencoder of it"),
        ("gap_decomposition", "limited_to.gap_decomposition names no dataset or autoencoder of it"),
        ("table3", "efficiency names no dataset or autoencoder of it"),
        ("table2", "autoencoders names none with a decoder"),
    ],
)
def test_a_table_that_nothing_of_the_study_is_in(checkout, study, target, why):
    arguments = study("study: {autoencoders: [random_init_8]}\n")
    output = snakemake("-n", *arguments, target, folder=checkout, code=None)
    assert f"Nothing of this study is in it: study.{why}" in output


def test_an_unknown_key_before_the_graph(checkout):
    output = snakemake("-n", "--config", "sead=1", folder=checkout, code=None)
    assert "sead" in output


def test_an_image_run_of_an_autoencoder(checkout):
    path = "results/runs/isic2019/image/flux2/image/fold3/metrics.json"
    assert "image space goes with `original`" in snakemake("-n", path, folder=checkout, code=None)


def test_a_fold_beyond_the_last(checkout):
    path = "results/runs/isic2019/image/original/image/fold7/metrics.json"
    assert "folds count from 0" in snakemake("-n", path, folder=checkout, code=None)


def test_what_is_missing_is_said_in_one_message_before_the_first_job(checkout):
    """No data, no weights: both datasets of the planned jobs are named, and nothing is left behind."""
    output = snakemake(
        "--cores", "1", "train/isic2019/image/original", "train/cardium/image/original",
        folder=checkout, code=None, HF_HUB_OFFLINE="1",
    )  # fmt: skip
    assert "datasets.isic2019" in output
    assert "ISIC2019_ROOT" in output
    assert "CARDIUM_ROOT" in output
    assert "MIMIC" not in output
    assert "pretrained.resnet50: timm/resnet50.tv_in1k is not in the local cache and the hub is switched" in output
    assert not (checkout / "results" / "datasets").exists()


def test_no_plan_beside_a_study_that_runs(tmp_path):
    """A lock whose owner is dead does not stop a plan."""
    folder = copy_checkout(tmp_path / "checkout")
    (folder / ".snakemake/locks").mkdir(parents=True)
    (folder / ".snakemake/locks/0.output.lock").write_text("results/study.json\n")
    target = ("-n", "--quiet", "rules", "--", "results/study.json")
    running = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "snakemake"], cwd=folder)
    try:
        message = f"A study is running in this folder (process {running.pid})"
        assert message in snakemake(*target, folder=folder, code=1)
    finally:
        running.kill()
        running.wait()
    assert "record_study" in snakemake(*target, folder=folder)
