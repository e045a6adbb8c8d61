"""The cost of a dry run, relative to that of an empty Snakefile with as many jobs.

    python benchmarks/dry_run.py [--datasets 48] [--repeats 3]

Measures the published study, and Table 1 of the demo's autoencoders on that many copies of a phantom in five folds,
with 60 jobs a data set and a few more. Each is compared with two Snakefiles with as many jobs: jobs of the *bare* one
have an input, an output and a command; *like jobs* have as many inputs, outputs, parameters and resources as a
training, from functions that do nothing. The difference between the second one and the study is our own cost. Nothing
is run, so neither data nor weights are needed. Figures are CPU seconds, medians of repetitions in turns.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import yaml
from ratio import Ratio, as_markdown

CHECKOUT = Path(__file__).parent.parent
BARE = """
rule all:
    input: expand("made/{i}.txt", i=range(%d))
rule make:
    input: "seed.txt"
    output: "made/{i}.txt"
    shell: "cp {input} {output}"
"""
ALIKE = """
rule all:
    input: expand("made/{i}/predictions.parquet", i=range(%d))
def files(wildcards):
    return {"array": "seed.txt", "samples": "seed.txt"}
def value(wildcards):
    return {"value": int(wildcards.i)}
def request(wildcards, input, attempt):
    return attempt
rule make:
    input: unpack(files), folds="seed.txt"
    output: *(f"made/{{i}}/{name}" for name in ("predictions.parquet", "metrics", "history", "weights", "model"))
    log: "logs/{i}.log"
    benchmark: "benchmarks/{i}.jsonl"
    resources: mem_mb=request, runtime=request, gpu=1
    params: a=value, b=value, c=value, d=value, e=value, f=value, g=value, h=1, i=1
    message: "Making {wildcards.i}"
    script: "make.py"
"""


class DryRun(NamedTuple):
    """A dry run: its jobs and CPU seconds."""

    jobs: int
    seconds: float


def write_study(path: Path, datasets: int) -> None:
    """Write the demo with that many copies of its first phantom and all five folds."""
    demo = yaml.safe_load((CHECKOUT / "workflow/studies/demo.yaml").read_text())
    phantom = next(iter(demo["datasets"].values()))
    copies = {f"phantom{i}": phantom | {"seed": i} for i in range(datasets)}
    study = {"datasets": list(copies), "folds": [0, 1, 2, 3, 4], "limited_to": {}, "efficiency": None}
    path.write_text(yaml.safe_dump({"results": str(path.parent / "results"), "study": study, "datasets": copies}))


def write_snakefile(folder: Path, text: str, jobs: int) -> Path:
    folder.mkdir()
    (folder / "Snakefile").write_text(text % (jobs - 1))  # and `all`
    for name in ("seed.txt", "make.py"):
        (folder / name).touch()
    return folder


def dry_run(folder: Path, *arguments: str) -> DryRun:
    """One dry run in `folder`."""
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "--cores", "1", *arguments]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    told = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(told)
    jobs = int(re.findall(r"^total\s+(\d+)", told, re.MULTILINE)[0])
    return DryRun(jobs, usage.ru_utime + usage.ru_stime)


def measure(folder: Path, arguments: list[str], repeats: int) -> dict[str, DryRun]:
    """Medians of dry runs of a study and of both Snakefiles with as many jobs."""
    jobs = dry_run(CHECKOUT, *arguments).jobs
    contenders = {
        "study": (CHECKOUT, arguments),
        "like jobs": (write_snakefile(folder / f"alike{jobs}", ALIKE, jobs), []),
        "bare": (write_snakefile(folder / f"bare{jobs}", BARE, jobs), []),
    }
    runs: dict[str, list[DryRun]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, (where, words) in contenders.items():
            runs[name].append(dry_run(where, *words))
    return {name: DryRun(*map(statistics.median, zip(*of, strict=True))) for name, of in runs.items()}


def ratios(datasets: int = 48, repeats: int = 3) -> list[Ratio]:
    found = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_study(folder / "study.yaml", datasets)
        many = ["--configfile", "workflow/studies/demo.yaml", str(folder / "study.yaml"), "--", "table1"]
        for arguments, goal in (([], "at most 1.5"), (many, "at most 2")):
            study, alike, bare = measure(folder, arguments, repeats).values()
            what = f"dry run of {study.jobs:,.0f} jobs"
            for other, over, limit in ((bare, "a bare Snakefile", goal), (alike, "a Snakefile of like jobs", "")):
                detail = f"{study.seconds:.1f} and {other.seconds:.1f} CPU-s"
                found.append(Ratio(what, over, study.seconds / other.seconds, limit, detail))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=int, default=48)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    print(as_markdown(ratios(chosen.datasets, chosen.repeats)))


if __name__ == "__main__":
    main()
