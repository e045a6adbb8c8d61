"""Sums over the jobs of a plan, per rule and in total, and how long they take on a number of GPUs."""

from dataclasses import dataclass

import pandas as pd

from ..workflow.job_work import GPU_RULES
from .costs import UNKNOWN, Cost
from .dag import longest_chain
from .rates import CPU

PLAN_COLUMNS = ["rule", "kind", "source", "jobs", "jobs_without_rate", "gpu_hours", "cpu_hours", "bytes_written"]


def per_kind(costs: list[Cost], device: str) -> pd.DataFrame:
    """One row per rule, kind and source of its rate; jobs without a rate add no hours."""
    rows = []
    for cost in costs:
        on_gpu = cost.job.rule in GPU_RULES and device != CPU
        hours = (cost.seconds or 0.0) / 3600
        unknown = int(cost.seconds is None)
        gpu, cpu = hours if on_gpu else 0.0, hours * cost.job.threads
        rows.append([cost.job.rule, cost.kind, cost.origin, 1, unknown, gpu, cpu, cost.written])
    frame = pd.DataFrame(rows, columns=PLAN_COLUMNS)
    return frame.groupby(["rule", "kind", "source"], sort=False, as_index=False).sum()


def per_rule(kinds: pd.DataFrame) -> pd.DataFrame:
    """One row per rule, the most expensive first; `source` names each source with its number of jobs."""
    rows = []
    for rule, part in kinds.groupby("rule", sort=False):
        jobs = part.groupby("source", sort=False)["jobs"].sum()
        source = "; ".join(f"{name}" if len(jobs) == 1 else f"{number} {name}" for name, number in jobs.items())
        rows.append(
            {"rule": rule, "kind": "", "source": source} | {name: part[name].sum() for name in PLAN_COLUMNS[3:]}
        )
    frame = pd.DataFrame(rows, columns=PLAN_COLUMNS)
    return frame.sort_values(["gpu_hours", "cpu_hours"], ascending=False, kind="stable", ignore_index=True)


@dataclass(frozen=True)
class Wall:
    """The least hours that a plan takes on `gpus` GPUs: its work divided by them, or its longest chain of jobs."""

    gpus: int
    divided: float
    chain: float

    @property
    def hours(self) -> float:
        return max(self.divided, self.chain)


def wall_hours(costs: list[Cost], gpus: int, device: str) -> Wall:
    """Wall hours on that many GPUs with one job each, or with that many jobs on a CPU; jobs without a rate count 0."""
    seconds = [cost.seconds or 0.0 for cost in costs]
    work = sum(time for cost, time in zip(costs, seconds, strict=True) if cost.job.rule in GPU_RULES or device == CPU)
    return Wall(gpus, work / gpus / 3600, longest_chain([cost.job for cost in costs], seconds) / 3600)


def nothing_known(costs: list[Cost]) -> bool:
    """Whether jobs lack a rate and no other has hours, so that sums would be zero."""
    return bool(without_rate(costs)) and not any(cost.seconds for cost in costs)


def without_rate(costs: list[Cost]) -> dict[str, int]:
    """How many jobs of each rule have no rate."""
    rules = [cost.job.rule for cost in costs if cost.origin == UNKNOWN]
    return {rule: rules.count(rule) for rule in dict.fromkeys(rules)}
