"""`learnability plan` prices the jobs of a dry run and no others: the published study, a part of it, what is left."""

import contextlib
import sys

import pandas as pd
import pytest

from learnability import cli
from tests.conftest import copy_checkout, job_counts, run, snakemake

DEMO = ("--configfile", "workflow/studies/demo.yaml", "--")
PART = ("train/phantom_skin/latent/tiny_sd14", "train/phantom_echo/latent/tiny_sd14")


@pytest.fixture
def plan(tmp_path, capsys):
    """The command in a folder: jobs per rule, and what it prints."""

    def planned(folder, *arguments: str) -> tuple[dict[str, int], str]:
        csv = tmp_path / "plan.csv"
        with contextlib.chdir(folder):
            cli.main(["plan", "--csv", str(csv), *arguments])
        return pd.read_csv(csv).groupby("rule")["jobs"].sum().to_dict(), capsys.readouterr().out

    return planned


def test_the_plan_of_the_published_study_is_its_dry_run(checkout, published, plan):
    jobs, output = plan(checkout)
    assert jobs == published.counts("all")
    assert jobs["train_classifier"] > 220
    text = " ".join(output.split())
    assert f"Plan: {sum(jobs.values())} jobs on NVIDIA H200" in text
    assert "mimic_cxr_lt 111,328 (published count)" in text
    assert "Estimate, nothing measured" in text
    assert "On 8 NVIDIA H200: at least" in text
    assert "the hours are those of an NVIDIA H200, which this machine need not have" in text
    assert "The smallest gap that would be seen" in text
    assert "Four times as many groups in every class halve this gap" in text


def test_a_part_is_planned_by_its_target(checkout, published, plan):
    jobs, _ = plan(checkout, "train/cardium/latent/flux2")
    assert jobs == published.counts("train/cardium/latent/flux2")
    assert jobs["train_classifier"] == 5


def test_after_a_part_is_done_only_the_rest_is_planned(tmp_path, plan):
    folder = copy_checkout(tmp_path / "checkout")
    whole, _ = plan(folder, *DEMO, *PART)
    snakemake("-c1", *DEMO, "results/demo/folds/phantom_skin.parquet", folder=folder)
    rest, output = plan(folder, *DEMO, *PART)
    assert rest == job_counts(snakemake("-n", *DEMO, *PART, folder=folder))
    assert {rule: whole[rule] - rest.get(rule, 0) for rule in whole if whole[rule] != rest.get(rule, 0)} == {
        "prepare_dataset": 1, "make_folds": 1,
    }  # fmt: skip
    assert "phantom_skin 310 (prepared)" in output
    assert "measured in results/demo" in " ".join(output.replace("│", " ").split())  # its benchmark prices the other
    (record,) = (folder / "results/demo/benchmarks/prepare_dataset").iterdir()
    assert '"rule_name": "prepare_dataset"' in record.read_text()
    record.unlink()  # a benchmark is no output: without it nothing is made again
    assert plan(folder, *DEMO, *PART)[0] == rest
    again, _ = plan(folder, "--forcerun", "prepare_dataset", *DEMO, *PART)
    assert again == whole


def test_what_snakemake_refuses_is_reported(checkout):
    output = run(sys.executable, "-m", "learnability.cli", "plan", "train/nowhere", folder=checkout, code=1)
    assert "Error: Snakemake refuses this plan" in output
    assert "No rule to produce train/nowhere" in output
    assert "Command:" not in output  # what Snakemake says of itself
    assert "Traceback" not in output
