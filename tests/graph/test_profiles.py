"""The shipped profiles in a dry run: every spelling, and the groups of SLURM."""

import re

import pytest
from snakemake.profiles import ProfileConfigFileParser

from tests.conftest import CHECKOUT, job_counts, snakemake

CELL = "train/cardium/image/original"


@pytest.mark.parametrize(
    "profile", [("--workflow-profile", "slurm"), ("--profile", "profiles/slurm")], ids=lambda words: " ".join(words)
)
def test_every_spelling_of_the_slurm_profile_works(checkout, profile):
    """`--profile slurm` is tested with the groups below."""
    output = snakemake("-n", *profile, "--", CELL, folder=checkout)
    assert job_counts(output)["train_classifier"] == 5
    assert "Group job cardium.image.original.image" in output


@pytest.mark.parametrize(
    "profiles",
    [
        ["profiles/local"],
        ["profiles/workstation"],
        ["slurm", "profiles/slurm_site"],
        ["slurm", "profiles/slurm_site_gres"],
    ],
)
def test_the_other_profiles_are_read(checkout, profiles):
    options = [word for profile in profiles for word in ("--profile", profile)]
    output = snakemake(*options, "-n", "table2", folder=checkout)
    assert "encode" in output


def test_the_folds_of_a_cell_are_one_group(checkout):
    """This holds for each of the 20 + 20 + 4 cells, and no group has a fold of another cell."""
    output = snakemake("--profile", "slurm", "-n", "table1", folder=checkout)
    groups = re.findall(r"Group job (\S+) \(jobs in lexicogr. order\):\n(.*?)(?=\n\[|\Z)", output, flags=re.DOTALL)
    assert len(groups) == 44
    for name, jobs_of_group in groups:
        dataset, space, autoencoder, recipe = name.split(".")
        told = re.findall(r"Training (\S+) on (\S+), (\S+) space \((\S+)\), fold (\d)", jobs_of_group)
        assert sorted(told) == [(recipe, dataset, space, autoencoder, str(fold)) for fold in range(5)]


def test_the_groups_are_every_schedulers(checkout):
    """Three lines over profiles/cluster make a profile; here it is one that SLURM's plugin runs."""
    (checkout / "site.yaml").write_text("executor: slurm\njobs: 9\ndefault-resources: {mem_mb: 4000, runtime: 60}\n")
    output = snakemake("--profile", "profiles/cluster", "--profile", "site.yaml", "-n", "--", CELL, folder=checkout)
    [group] = re.findall(r"Group job cardium.image.original.image .*\n((?:\n|    .*\n)*)", output)
    assert group.count("Training image on cardium") == 5


@pytest.mark.parametrize("name", ["workstation", "cluster"])
def test_whatever_trains_has_the_cpus_of_a_training(name):
    rules = (CHECKOUT / "workflow/rules/classifiers.smk").read_text()
    training = set(re.findall(r'code_of\("(\w+)", modules_of_training', rules)) - {
        "measure_efficiency"
    }  # which has a node to itself
    training |= {to for base, to in re.findall(r"use rule (\w+) as (\w+)", rules) if base in training}
    assert {"train_classifier", "search_recipe", "assist_search"} <= training
    with open(CHECKOUT / f"profiles/{name}/config.yaml") as file:
        threads = dict(line.split("=") for line in ProfileConfigFileParser().parse(file)["set-threads"])
    assert {threads.get(rule) for rule in training} == {threads["train_classifier"]}


def test_slurm_has_all_that_every_scheduler_needs():
    """It has every key of profiles/cluster, and one line more in default-resources."""
    read = {}
    for name in ("cluster", "slurm"):
        with open(CHECKOUT / f"profiles/{name}/config.yaml") as file:
            read[name] = ProfileConfigFileParser().parse(file)
    more = {key: value for key, value in read["slurm"].items() if read["cluster"].get(key) != value}
    assert read["cluster"].keys() <= read["slurm"].keys()
    assert read["cluster"].keys() & more.keys() == {"default-resources"}
    assert more["default-resources"] == [*read["cluster"]["default-resources"], "slurm_extra='--signal=TERM@120'"]
