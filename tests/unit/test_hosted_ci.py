"""The workflow files for a hosted service run what `.ci/run` runs, on the lowest promised versions."""

import re

import pytest
import yaml

from learnability.study.configuration import ROOT

FILES = sorted((ROOT / ".github/workflows").glob("*.yaml"))
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in FILES}
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
LEAST_PYTHON = re.search(r'requires-python = ">=(3\.\d+)"', (ROOT / "pyproject.toml").read_text())[1]
LEAST_SNAKEMAKE = re.search(r'min_version\("(.+)"\)', (ROOT / "Snakefile").read_text())[1]


def steps(name: str) -> list[dict]:
    (job,) = WORKFLOWS[name]["jobs"].values()
    return job["steps"]


def commands(name: str) -> list[str]:
    return [step["run"] for step in steps(name) if "run" in step]


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def test_all_that_this_machine_checks_but_a_cluster_is_checked_there():
    here = set(re.findall(r"^make (.+)$", (ROOT / ".ci/run").read_text(), flags=re.MULTILINE))
    there = {command.removeprefix("make ") for name in WORKFLOWS for command in commands(name)}
    assert here - there == {"test-slurm"}  # it needs root and daemons
    assert set(WORKFLOWS) == {"lint", "tests", "demo"}
    targets = re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE)
    asked = [command.split()[1] for name in WORKFLOWS for command in commands(name) if command.startswith("make ")]
    assert len(asked) >= 4
    assert [target for target in asked if target not in targets] == []


def test_the_tests_run_on_the_lowest_and_on_newer_versions():
    (job,) = WORKFLOWS["tests"]["jobs"].values()
    lowest, newest = job["strategy"]["matrix"]["include"]
    assert lowest == {"python": LEAST_PYTHON, "snakemake": f"snakemake=={LEAST_SNAKEMAKE}.0"}
    assert newest["snakemake"] == "snakemake"  # whatever is newest, by the step that upgrades
    assert numbers(newest["python"]) > numbers(LEAST_PYTHON)
    order = commands("tests")[-3:]
    assert order == [
        "make environment",
        '.venv/bin/python -m pip install --upgrade "${{ matrix.snakemake }}"',
        "make test",
    ]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_only_read_and_ends(name):
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}
    (job,) = WORKFLOWS[name]["jobs"].values()
    assert job["timeout-minutes"] <= 180
    assert [step["uses"] for step in steps(name) if "uses" in step and "@v" not in step["uses"]] == []
    versions = [step["with"]["python-version"] for step in steps(name) if "setup-python" in step.get("uses", "")]
    assert versions in ([LEAST_PYTHON], ["${{ matrix.python }}"])
    assert set(WORKFLOWS[name][True]) == {"push", "pull_request"}  # YAML takes `on` for a truth
