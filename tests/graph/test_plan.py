"""`learnability plan` prices exactly the jobs of a dry run: of the published study, of a part, and of what is left."""

import sys

import pandas as pd

from tests.conftest import copy_checkout, job_counts, run, snakemake

DEMO = ("--configfile", "workflow/studies/demo.yaml", "--")


def plan(folder, *arguments: str, code: int | None = 0) -> tuple[dict[str, int], str]:
    """Jobs per rule of a plan, and what it prints."""
    csv = folder / "plan.csv"
    output = run(
        sys.executable, "-m", "learnability.cli", "plan", "--csv", str(csv), *arguments, folder=folder, code=code
    )
    return pd.read_csv(csv).groupby("rule")["jobs"].sum().to_dict() if code == 0 else {}, output


def test_the_plan_of_the_published_study_is_its_dry_run(checkout):
    jobs, output = plan(checkout)
    assert jobs == job_counts(snakemake("-n", folder=checkout))
    assert jobs["train_classifier"] > 220
    text = " ".join(output.split())
    assert f"Plan: {sum(jobs.values())} jobs on NVIDIA H200" in text
    assert "mimic_cxr_lt 111,328 (published count)" in text
    assert "Estimate, nothing measured" in text
    assert "On 8 NVIDIA H200: at least" in text


def test_a_part_is_planned_by_its_target(checkout):
    jobs, _ = plan(checkout, "train/cardium/latent/flux2")
    assert jobs == job_counts(snakemake("-n", "train/cardium/latent/flux2", folder=checkout))
    assert jobs["train_classifier"] == 5


def test_after_a_part_is_done_only_the_rest_is_planned(tmp_path):
    folder = copy_checkout(tmp_path)
    whole, _ = plan(folder, *DEMO)
    snakemake("-c1", *DEMO, "results/demo/folds/phantom_skin.parquet", folder=folder)
    rest, output = plan(folder, *DEMO)
    assert rest == job_counts(snakemake("-n", *DEMO[:2], folder=folder))
    assert {rule: whole[rule] - rest.get(rule, 0) for rule in whole if whole[rule] != rest.get(rule, 0)} == {
        "prepare_dataset": 1, "make_folds": 1,
    }  # fmt: skip
    assert "phantom_skin 310 (prepared)" in output
    assert "measured in results/demo" in " ".join(
        output.replace("│", " ").split()
    )  # its benchmark prices the other three
    (record,) = (folder / "results/demo/benchmarks/prepare_dataset").iterdir()
    assert '"rule_name": "prepare_dataset"' in record.read_text()
    record.unlink()  # a benchmark is no output: without it nothing is made again
    assert plan(folder, *DEMO)[0] == rest
    again, _ = plan(folder, "--forcerun", "prepare_dataset", *DEMO)
    assert again == whole


def test_what_snakemake_refuses_is_said(checkout):
    _, output = plan(checkout, "train/nowhere", code=1)
    assert "Error: Snakemake refuses this plan" in output
    assert "train/nowhere" in output
    assert "Traceback" not in output
