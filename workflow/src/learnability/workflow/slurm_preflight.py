"""Before the first job is submitted: does SLURM answer, and does it still have jobs of an earlier run of this study?

After its head process was killed, Snakemake does not find its own jobs. It would submit them again, and both would
write the same files.
"""

import atexit
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import psutil

from ..errors import InputError
from ..storage.contracts import read_json, write_json

MARKS = Path(".snakemake", "slurm_runs")  # a file for each run whose head process has not ended by itself
LOCKS = Path(".snakemake", "locks")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
SHOWN = 10  # jobs to name in a message


class QueuedJob(NamedTuple):
    """A line of squeue: `run` is the job's name, Snakemake's SLURM run ID; `comment` has its rule and wildcards."""

    id: str
    run: str
    state: str
    user: str
    folder: str
    comment: str


def ask(*command: str) -> subprocess.CompletedProcess:
    """Run a SLURM command; the user's own squeue filters do not apply."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SQUEUE_")}
    try:
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"{command[0]} did not answer within two minutes")


def why_unreachable() -> str | None:
    """Why no job at all could be submitted from here, or None."""
    if missing := [name for name in ("sbatch", "squeue", "scontrol") if not shutil.which(name)]:
        return f"SLURM: no {', '.join(missing)} on this machine; start from a login node of the cluster"
    ping = ask("scontrol", "ping")
    if " is UP" in ping.stdout:
        return None
    answer = (ping.stdout + ping.stderr).strip().partition("\n")[0]
    return f"SLURM: the controller does not answer (`scontrol ping`: {answer}); try again when it does"


def queued_jobs() -> list[QueuedJob]:
    """Every job of the cluster that has not ended and that this user may see. Raises InputError."""
    answer = ask("squeue", "--noheader", "--format=%i\t%j\t%T\t%u\t%Z\t%k")
    if answer.returncode:
        raise InputError(f"SLURM: `squeue` failed: {answer.stderr.strip()}; the jobs of an earlier run are not known")
    return [QueuedJob(*line.split("\t", 5)) for line in answer.stdout.splitlines()]


def read_marks() -> dict[str, dict]:
    """The runs of this folder whose head process has not ended by itself: SLURM run ID -> its mark."""
    return {path.stem: read_json(path) for path in sorted(MARKS.glob("*.json"))}


def record_run(run: str, results: str) -> None:
    """Leave a mark of this run. It goes when the head process ends by itself, and stays if that is killed."""
    living = {job.run for job in queued_jobs()}
    for old, mark in read_marks().items():
        if old not in living and not head_is_alive(mark):
            (MARKS / f"{old}.json").unlink(missing_ok=True)
    head = {"host": socket.gethostname(), "pid": os.getpid(), "started": psutil.Process().create_time()}
    path = MARKS / f"{run}.json"
    write_json({"results": str(Path(results).resolve()), **head}, path)
    atexit.register(path.unlink, missing_ok=True)


def living_jobs(jobs: Iterable[QueuedJob], marks: dict[str, dict], folder: str, results: str) -> list[QueuedJob]:
    """Those of `jobs` that Snakemake submitted from `folder`, except those known to be of another study there."""
    own = [job for job in jobs if job.run in marks or (is_submitted(job) and os.path.realpath(job.folder) == folder)]
    results = str(Path(results).resolve())
    return [job for job in own if marks.get(job.run, {"results": results})["results"] == results]


def is_submitted(job: QueuedJob) -> bool:
    """Whether a job looks like one of Snakemake's executor: the name ends in a UUID, the comment names the rule."""
    return job.comment.startswith("rule_") and UUID.search(job.run) is not None


def head_is_alive(mark: dict) -> bool | None:
    """Whether the head process of a run still runs; None if it was started on another machine."""
    if mark["host"] != socket.gethostname():
        return None
    try:
        head = psutil.Process(mark["pid"])
        return abs(head.create_time() - mark["started"]) < 1 and head.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def fate_of_head(mark: dict | None) -> str:
    """Say what became of the process that submitted the jobs."""
    if mark is None:
        return "The Snakemake that submitted them has ended"
    name = f"Its head process {mark['pid']} on {mark['host']}"
    alive = head_is_alive(mark)
    if alive is None:
        return f"{name} may still run: look there"
    return f"{name} goes on: `kill -INT {mark['pid']}` stops it and its jobs" if alive else f"{name} was killed"


def describe_living_jobs(jobs: list[QueuedJob], marks: dict[str, dict]) -> str:
    """Say which jobs of earlier runs are alive, what became of their head process, and what to type."""
    texts = []
    for run in dict.fromkeys(job.run for job in jobs):
        own = [job for job in jobs if job.run == run]
        lines = [f"      {job.id}  {job.state}  {job.user}  {job.comment}" for job in own[:SHOWN]]
        lines += [f"      and {len(own) - SHOWN} more"] if len(own) > SHOWN else []
        texts.append(
            f"SLURM still has {len(own)} job(s) of an earlier run of this study; they would be computed twice:\n"
            + "\n".join(lines)
            + f"\n    {fate_of_head(marks.get(run))}. Wait for the jobs, what they finish is kept: "
            + f"`squeue --name={run}`\n    Or end them: `scancel --name={run}`"
        )
    return "\n  - ".join(texts)


def check_living_jobs(folder: str, results: str, patience: float = 60) -> list[str]:
    """A message if jobs of an earlier run are alive; waits up to `patience` seconds for jobs that are just ending."""
    folder, end = os.path.realpath(folder), time.monotonic() + patience
    while jobs := living_jobs(queued_jobs(), marks := read_marks(), folder, results):
        if any(job.state != "COMPLETING" for job in jobs) or time.monotonic() > end:
            return [describe_living_jobs(jobs, marks) + "\n    Then type the same command again"]
        time.sleep(1)
    return []


def note_on_lock(folder: str, results: str) -> str | None:
    """Explain Snakemake's lock of this folder, if a run through SLURM left it; Snakemake itself cannot."""
    if not any(LOCKS.glob("*.lock")) or not shutil.which("squeue"):
        return None
    marks, unlock = read_marks(), "type the same command with --unlock, then again without"
    try:
        jobs = living_jobs(queued_jobs(), marks, os.path.realpath(folder), results)
    except InputError as error:
        return str(error) if marks else None
    if jobs and any(head_is_alive(marks[job.run]) for job in jobs if job.run in marks):
        return describe_living_jobs(jobs, marks)
    if jobs:
        return f"{describe_living_jobs(jobs, marks)}\n    Then {unlock}"
    return (
        "\n".join(
            f"This folder is locked. {fate_of_head(mark)}, and no job of it is in the queue"
            + ("" if head_is_alive(mark) else f": if no other Snakemake works here, {unlock}")
            for mark in marks.values()
            if mark["results"] == str(Path(results).resolve())
        )
        or None
    )
