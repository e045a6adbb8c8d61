"""The jobs that a command would run, from a dry run of Snakemake in a child process."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..study.configuration import ROOT

BANNER = "Building DAG of jobs..."  # after what Snakemake says of itself
PLUGINS = ROOT / "workflow" / "plugins"  # the logger plugin `jobs` writes the jobs of a dry run as JSON lines


@dataclass(frozen=True)
class Job:
    """A job that would run; `wildcards` are strings, `threads` is the number that it would get."""

    rule: str
    wildcards: dict[str, str]
    threads: int
    input: tuple[str, ...]
    output: tuple[str, ...]


def planned_jobs(
    configfiles: list[Path], targets: list[str], options: list[str], meanwhile: Callable[[], object] = lambda: None
) -> list[Job]:
    """Every job that `snakemake` would run for the targets in this folder; `options` are further ones of Snakemake.

    `meanwhile` is called while the dry run goes on in its own process. If Snakemake refuses, raises InputError with its
    message.
    """
    with tempfile.TemporaryDirectory() as folder:
        file, log = Path(folder) / "jobs.jsonl", Path(folder) / "log.txt"
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--dry-run"]
        command += ["--logger", "jobs", "--logger-jobs-file", str(file), *options]
        command += ["--configfile", *map(str, configfiles)] if configfiles else []
        path = os.pathsep.join(filter(None, [str(PLUGINS), os.environ.get("PYTHONPATH")]))
        environment = os.environ | {"PYTHONPATH": path}
        with log.open("w") as said:  # a file, because nobody reads a pipe meanwhile
            running = subprocess.Popen([*command, "--", *targets], env=environment, stdout=said, stderr=said)
            with running:
                meanwhile()
        output = log.read_text(encoding="utf-8").strip()
        if running.returncode:
            said = output.rpartition(BANNER)[2].strip() or output
            raise InputError(f"Snakemake refuses this plan (docs/rerun.md has the targets):\n{said[-4000:]}")
        for line in output.splitlines():
            if line.startswith("warning: "):  # for example about a damaged array
                print(line, file=sys.stderr)
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    found = [json.loads(line) for line in lines]
    return [Job(**job | {"input": tuple(job["input"]), "output": tuple(job["output"])}) for job in found]


def longest_chain(jobs: list[Job], seconds: list[float]) -> float:
    """Seconds of the critical path: the longest chain of jobs that must wait for each other."""
    maker = {path: number for number, job in enumerate(jobs) for path in job.output}
    before = [{maker[path] for path in job.input if path in maker} for job in jobs]
    ends: dict[int, float] = {}
    waiting = list(range(len(jobs)))
    while waiting:  # depth first without recursion, because a chain may be long
        number = waiting[-1]
        if missing := [other for other in before[number] if other not in ends]:
            waiting += missing
            continue
        ends[number] = seconds[number] + max((ends[other] for other in before[number]), default=0.0)
        waiting.pop()
    return max(ends.values(), default=0.0)
