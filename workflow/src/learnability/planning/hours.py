"""Where the hours of a run went: the benchmarks of a results folder, summed per rule."""

from pathlib import Path

import pandas as pd

from ..errors import InputError
from .benchmarks import read_benchmarks

HOURS_COLUMNS = ["rule", "jobs", "wall_hours", "cpu_hours", "mean_seconds", "max_seconds", "peak_mb"]


def hours_per_rule(folder: Path) -> pd.DataFrame:
    """One row per rule, the most expensive first. CPU time and memory are of sampled jobs, NaN if there are none.

    If a job ran again, its last run counts.
    """
    jobs = read_benchmarks(folder)
    if not jobs:
        raise InputError(
            f"{folder}/benchmarks has no benchmark; run the study, or a part of it, into this folder first"
        )
    rows = [(job.rule, job.seconds, job.cpu_seconds, job.peak_mb) for job in jobs]
    measured = ["seconds", "cpu_seconds", "peak_mb"]
    frame = pd.DataFrame(rows, columns=["rule", *measured]).astype(dict.fromkeys(measured, float))
    groups = frame.groupby("rule")
    table = pd.DataFrame(
        {
            "jobs": groups.size(),
            "wall_hours": groups["seconds"].sum() / 3600,
            "cpu_hours": groups["cpu_seconds"].sum(min_count=1) / 3600,
            "mean_seconds": groups["seconds"].mean(),
            "max_seconds": groups["seconds"].max(),
            "peak_mb": groups["peak_mb"].max(),
        }
    )
    return table.sort_values("wall_hours", ascending=False).reset_index()[HOURS_COLUMNS]
