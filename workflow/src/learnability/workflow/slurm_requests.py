"""Before the first job is submitted: would SLURM accept each job's request, and will the end of a job be noticed?

A request that no node can meet waits in the queue for ever; that of a group fails without a reason.
"""

import re
import shlex
import shutil
from itertools import pairwise
from typing import NamedTuple

from .slurm_preflight import ask

# When nothing happens, the executor looks every 180 s; squeue must still list jobs that ended in between.
SAFE_JOB_AGE = 240


def check_status_queries(status_command: str, first_wait: int) -> tuple[list[str], list[str]]:
    """Problems with how the executor learns that a job has ended: those that stop a run, and mere warnings.

    `first_wait` is slurm-init-seconds-before-status-checks, in seconds. The executor uses sacct in place of squeue if
    the controller forgets a job within three such waits.
    """
    answer = dict(re.findall(r"^(\w+)\s*= (.*?)\s*$", ask("scontrol", "show", "config").stdout, flags=re.MULTILINE))
    age, store = answer.get("MinJobAge", ""), answer.get("AccountingStorageType", "")
    seconds = int(age.split()[0]) if age else 0
    falls_back = status_command == "squeue" and seconds < 3 * first_wait and shutil.which("sacct")
    if store.endswith("/none") and (status_command == "sacct" or falls_back):
        reason = f"MinJobAge is {age}, below three times slurm-init-seconds-before-status-checks ({first_wait} s)"
        why = f", which is asked because {reason}: lower that" if falls_back else ": set slurm-status-command: squeue"
        return [f"SLURM: this cluster keeps no accounts, so sacct never says that a job has ended{why}"], []
    if status_command == "squeue" and not falls_back and 0 < seconds < SAFE_JOB_AGE:
        return [], [
            f"SLURM forgets a job {age} after its end (MinJobAge), and may be asked only every 180 s: the end of a job "
            f"can go unnoticed. Ask the site for {SAFE_JOB_AGE} s or more, or set slurm-status-command: sacct"
        ]
    return [], []


class Request(NamedTuple):
    """An sbatch command; `estimated` means that minutes and memory are for an array that does not exist yet."""

    command: str
    estimated: bool


def check_requests(requests: dict[Request, list[str]], attempts: int = 1) -> tuple[list[str], list[str]]:
    """Requests that SLURM would never start, and doubtful ones; `requests` has the rules behind each.

    Attempt n asks for n times the minutes of the first; `attempts` is how many there are.
    """
    refused, warnings, limits = [], [], time_limits()
    for request, rules in requests.items():
        asked = f"SLURM on {', '.join(dict.fromkeys(rules))} ({len(rules)} job(s)), `{asked_for(request.command)}`"
        never, why = judge(request.command, limits)
        if not why:
            if limit := over_limit(request.command, limits, attempts):
                warnings.append(
                    f"{asked}: attempt {attempts} would wait for ever, the partition ends every job after "
                    f"{limit}; fewer folds in a group (group-components), or a `runtime` of your own"
                )
            continue
        text = f"{asked}: {why}"
        without_size = re.sub(r" (-t|--mem|--mem-per-cpu) \S+", "", request.command)
        if never and request.estimated and judge(without_size, limits) == (False, ""):
            warnings.append(f"{text}. Time and memory are an estimate, until the job's own input is there")
        elif never:
            refused.append(f"{text}. The rule or the profile asks for it")
        else:
            warnings.append(text)
    return refused, warnings


def judge(command: str, limits: dict[str, str]) -> tuple[bool, str]:
    """Whether SLURM would never start a request, and why it would not now; the reason is "" for a good request.

    Submits nothing. `--test-only` gives the same answer for requests that no node can meet and for those that only wait
    for a node that is down or drained, so the two look alike if the partition has such a node.
    """
    if limit := over_limit(command, limits):
        return True, f"it would wait for ever, the partition ends every job after {limit}"
    tried = ask(*shlex.split(command), "--test-only", "--wrap", "true")
    if not tried.returncode:
        return False, ""
    said = tried.stderr.strip().splitlines()
    reason = "; ".join(
        re.sub(r"^(sbatch: error: |allocation failure: |Batch job submission failed: )*", "", line) for line in said
    )
    if re.search(r"\bnodes?\b", reason) and (away := unavailable_nodes(partition_of(command))):
        return False, f"{reason}; or it will wait for nodes that are down or drained: {', '.join(away)} (`sinfo -R`)"
    return True, reason


def partition_of(command: str) -> str | None:
    """The partition that an sbatch command names; None for the cluster's default."""
    return dict(pairwise(shlex.split(command))).get("-p")


def unavailable_nodes(partition: str | None) -> list[str]:
    """The nodes of a partition (or of all) that are down or drained, with their names as sinfo shortens them."""
    chosen = ["-p", partition] if partition else []
    return ask("sinfo", "--noheader", "--states=down,drain", "--format=%N", *chosen).stdout.split()


def asked_for(command: str) -> str:
    """The part of an sbatch command that asks for resources."""
    kept = re.sub(r"^sbatch|--parsable|--export=ALL|(--job-name|--output|--comment|-D) ('[^']*'|\S+)", "", command)
    return " ".join(kept.split())


def time_limits() -> dict[str, str]:
    """Partition -> its limit as sinfo shows it."""
    return dict(line.split("\t") for line in ask("sinfo", "--noheader", "--format=%R\t%l").stdout.splitlines())


def over_limit(command: str, limits: dict[str, str], times: int = 1) -> str | None:
    """The partition's limit, if `times` the command's minutes exceed it, which --test-only often overlooks."""
    limit = limits.get(partition_of(command), "infinite")
    time_asked = dict(pairwise(shlex.split(command))).get("-t", "0")
    if not re.fullmatch(r"(\d+-)?[\d:]+", limit) or not time_asked.isdigit():
        return None
    days, _, clock = limit.rpartition("-")
    parts = [0, 0, *map(int, clock.split(":"))][-3:]  # 30:00, 1:00:00 and 1-00:00:00 end in seconds
    minutes = int(days or 0) * 1440 + parts[0] * 60 + parts[1]
    return limit if times * int(time_asked) > minutes else None
