"""Every command of the documentation is dry-run, parsed, or listed here with the reason why not."""

import shutil

import pytest
from snakemake.cli import get_argument_parser

from learnability import cli
from learnability.study.configuration import ROOT
from tests.conftest import copy_checkout, run, snakemake
from tests.pages import all_commands, files_of_pages, words

COMMANDS = all_commands()
# Commands that are not asked for here, and why. What is not on a page any more is to be taken out: a test says so.
ELSEWHERE = {
    "tests/unit/test_generation_page.py runs them": [
        "learnability score generated --classifier results/runs/isic2019/latent/sd14/guide/fold0 --autoencoder sd14 "
        "--out scores_of_images.parquet",
    ],
    "tests/runs/test_own_autoencoder.py runs them": ["snakemake --cores 2 --configfile block_dct.yaml"],
    "tests/graph/test_other_folders.py runs them": [
        "snakemake --snakefile /path/to/learnability-gap/Snakefile --profile /path/to/learnability-gap/profiles/local",
        "snakemake --cores 2 --workflow-profile /path/to/learnability-gap/profiles/default --configfile config.yaml "
        "-- report",
    ],
    "tests/docs/test_rules_page.py runs it": ["snakemake --rulegraph mermaid-js"],
    "a finished study is needed; the tests of the pages make it": [
        "snakemake --report results/demo/report.html --configfile workflow/studies/demo.yaml", "snakemake --report",
    ],
    "there must be a lock; tests/runs and tests/slurm leave some": [
        "snakemake --unlock", "snakemake --profile slurm --unlock",
    ],
    "what `make demo` starts, in tests/runs/test_tiny_run.py": [
        "python -m learnability.workflow.launch snakemake ...", "python -m learnability.workflow.warm_snakemake",
    ],
    "a cluster; tests/slurm has one": [
        "cp -r profiles/slurm_site_gres profiles/my_site", "scontrol show config",
        'squeue -o "%i %T %r"', "scancel --name=<SLURM run ID>", "sbatch --test-only",
    ],
    "a plugin that is not installed; tests/runs/test_other_schedulers.py reads the file, and runs the one beside it": [
        "snakemake --profile profiles/cluster --profile lsf.yaml",
    ],
    "conda, a container engine, and the network": [
        "snakemake --profile profiles/local --sdm conda --configfile workflow/studies/demo.yaml",
        "docker build -f envs/Dockerfile -t learnability .",
        'docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" learnability --profile /study/profiles/local '
        "--configfile /study/workflow/studies/demo.yaml",
        "apptainer build learnability.sif docker-daemon://learnability:latest", "docker run learnability",
    ],
    "packages from the network, and a mark": ["uv sync", "touch .venv/installed"],
    "data from the network, into a folder of the reader's": [
        "mkdir -p $MEDMNIST_ROOT", "cd $MEDMNIST_ROOT", "cd -", "cd /scratch/me",
        "for file in pneumoniamnist_224.npz organamnist_224.npz breastmnist_224.npz; do",
        'curl -L -o $file "https://zenodo.org/records/10519652/files/$file?download=1"',
    ],
    "copies of a finished study; tests/unit/test_adoption.py touches files as they would": ["cp -a", "cp -r"],
    "variables and the shell": [
        "source .venv/bin/activate", "export MEDMNIST_ROOT=/data/medmnist HAM10000_ROOT=/data/ham10000",
        "export ISIC2019_ROOT=/data/isic2019 CT_RATE_ROOT=... MIMIC_CXR_LT_ROOT=... CARDIUM_ROOT=... "
        "IMAGENET_ROOT=... HF_TOKEN=...",
        "export HAM10000_ROOT=<folder with HAM10000_metadata.csv and images/>",
        "export TAE_WEIGHTS=<folder with taesd/, taef1/ and taef2/>",
    ],
    "`make test` runs them": [
        "python -m pytest tests/unit/test_metrics.py", "ruff check .", "ruff format .",
        "snakefmt Snakefile workflow/rules",
    ],
    "tests/runs/test_gpu_check.py runs it": ["python -m benchmarks.gpu"],
    "tests/unit/test_measured_replicates.py does what it does": [
        "python -m docs.measurements.replicates results/ham10000_rebuilt matched matched_again",
    ],
    "tests/runs/test_rebuilt.py packs a study": [
        "python -m docs.measurements.parts pack results/ham10000 docs/measurements/data/ham10000/table1",
        "python -m docs.measurements.parts unpack docs/measurements/data/ham10000 results/ham10000",
    ],
    "minutes of measurement": [
        "python benchmarks/classifier_speed.py", "python benchmarks/feed.py", "python benchmarks/memory.py",
        "make bench",
    ],
    "the beginning of a command": [
        "learnability score", "learnability hours", "learnability check --configfile",
        "learnability export",
        "learnability ...",
    ],
}  # fmt: skip
NOT_HERE = [command for commands in ELSEWHERE.values() for command in commands]
MERGED = ("targets", "forcerun", "profile", "cores", "dryrun")  # in what commands that are asked together may differ


def of(program: str) -> list[str]:
    return [command for command in COMMANDS if command.split()[0] == program and command not in NOT_HERE]


def dry_runs() -> dict[tuple, dict]:
    """The snakemake commands as Snakemake reads them; those that differ only in targets or profile count as one."""
    parser = get_argument_parser()
    usual = vars(parser.parse_args([]))
    groups: dict[tuple, dict] = {}
    for command in of("snakemake"):
        given = words(command)[1:]
        chosen = vars(parser.parse_args(given))
        unlike = {k: str(v) for k, v in chosen.items() if k not in MERGED and str(v) != str(usual[k])}
        key = tuple(item for item in unlike.items() if " object at 0x" not in item[1])  # an object without an equal
        group = groups.setdefault(key, {"targets": set(), "forced": set(), "options": []})
        group["targets"] |= set(map(str, chosen["targets"] or ["all"]))
        group["forced"] |= set(map(str, chosen["forcerun"] or []))
        group["options"] = max(group["options"], options_of(given, chosen), key=len)
    return groups


def options_of(given: list[str], chosen: dict) -> list[str]:
    """The words of a command without its targets and without the rules that it forces."""
    left_out = {*map(str, chosen["targets"]), *map(str, chosen["forcerun"] or []), "--forcerun", "--"}
    return [word for word in given if word not in left_out]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A fresh checkout with the files that the pages give."""
    folder = copy_checkout(tmp_path_factory.mktemp("reader") / "learnability-gap")
    for name, text in files_of_pages().items():
        (folder / name).write_text(text)
    shutil.copytree(folder / "profiles/slurm_site", folder / "profiles/my_site")  # as docs/slurm.md says
    return folder


def test_there_are_commands_on_the_pages():
    assert len(of("snakemake")) > 30
    assert len(of("learnability")) > 12
    runs = "results/runs/isic2019/latent/flux2/matched/fold{0,1,2,3,4}/metrics.json"
    assert f"snakemake --profile slurm {runs}" in COMMANDS  # from a table
    assert words("snakemake a/fold{0,1}/x --group-components '{a}.{b}=1'")[1:] == [
        "a/fold0/x", "a/fold1/x", "--group-components", "{a}.{b}=1",
    ]  # fmt: skip


def test_nothing_is_left_out_that_is_on_no_page():
    assert [command for command in NOT_HERE if command not in COMMANDS] == []
    copied = "cp -r profiles/slurm_site profiles/my_site"  # as the fixture does
    known = {*of("snakemake"), *of("learnability"), *of("make"), *NOT_HERE, copied}
    assert copied in COMMANDS
    assert [f"{command}: {COMMANDS[command]}" for command in COMMANDS if command not in known] == []


@pytest.mark.parametrize("group", dry_runs().values(), ids=lambda group: " ".join(group["options"]) or "plain")
def test_snakemake_takes_it(folder, group):
    targets = sorted(group["targets"])
    forced = ["--forcerun", *sorted(group["forced"])] if group["forced"] else []
    snakemake("--dry-run", "--quiet", "all", *group["options"], *forced, "--", *targets, folder=folder)


@pytest.mark.parametrize("command", of("learnability"))
def test_learnability_takes_it(folder, command):
    chosen = cli.build_parser().parse_args(words(command)[1:])
    for file in getattr(chosen, "configfile", None) or []:
        assert (folder / file).is_file(), file


def test_make_takes_it(folder):
    for command in of("make"):
        run(*words(command), "--dry-run", folder=folder)


def test_a_file_that_a_page_names_is_there():
    for command in NOT_HERE:
        for word in command.split():
            if word.endswith((".py", "/Dockerfile")):
                assert (ROOT / word).is_file(), word
