"""The jobs of a dry run with their files, so that one dry run answers many questions."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.conftest import job_counts, snakemake


@dataclass(frozen=True)
class Job:
    """A job that would run; the folder `results/` is left out of its paths."""

    rule: str
    wildcards: tuple[str, ...]
    input: frozenset[str]
    output: frozenset[str]


@dataclass(frozen=True)
class Plan:
    """The jobs that a command would run, and its output."""

    jobs: tuple[Job, ...]
    output: str

    def made_by(self) -> dict[str, Job]:
        return {path: job for job in self.jobs for path in job.output}

    def of(self, *targets: str) -> list[Job]:
        """The jobs of these rules or files and all jobs that they need."""
        maker = self.made_by()
        named = {job.rule: job for job in self.jobs if not job.wildcards} | maker
        waiting, found = [named[target] for target in targets], set()
        while waiting:
            job = waiting.pop()
            if job not in found:
                found.add(job)
                waiting += [maker[path] for path in job.input if path in maker]
        return [job for job in self.jobs if job in found]

    def counts(self, *targets: str) -> dict[str, int]:
        """Jobs per rule, of the whole plan or of what these need."""
        return dict(Counter(job.rule for job in (self.of(*targets) if targets else self.jobs)))

    def waits(self, job: Job) -> set[str]:
        """The files that a job reads and other jobs make."""
        return job.input & self.made_by().keys()

    def job(self, rule: str, *wildcards: str) -> Job:
        (found,) = [job for job in self.jobs if job.rule == rule and job.wildcards == wildcards]
        return found


def planned(*arguments: str, folder: Path, **options) -> Plan:
    """Make a dry run with the logger plugin of `learnability plan`; it must agree with Snakemake's own table."""
    with TemporaryDirectory() as place:
        file = Path(place) / "jobs.jsonl"
        path = f"{folder}/workflow/src:{folder}/workflow/plugins"
        logged = ("-n", "--logger", "jobs", "--logger-jobs-file", str(file))
        output = snakemake(*logged, *arguments, folder=folder, PYTHONPATH=path, **options)
        lines = [json.loads(line) for line in file.read_text().splitlines()]
    plan = Plan(tuple(job_of(line) for line in lines), output)
    assert plan.counts() == job_counts(output)
    return plan


def job_of(line: dict) -> Job:
    input, output = (frozenset(path.removeprefix("results/") for path in line[side]) for side in ("input", "output"))
    return Job(line["rule"], tuple(line["wildcards"].values()), input, output)
