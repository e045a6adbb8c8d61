"""Snakemake's measurements of the jobs of a results folder: a JSON file per job in `benchmarks/{rule}/`."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..errors import InputError


@dataclass(frozen=True)
class Benchmark:
    """One job: wall and CPU seconds, peak memory in MB (None if it ended before a sample was taken), and its name."""

    rule: str
    seconds: float
    cpu_seconds: float | None
    peak_mb: float | None
    wildcards: dict[str, str] | None  # None: written without `benchmark-extended`
    params: dict | None
    day: str


def read_benchmarks(folder: Path) -> list[Benchmark]:
    """Read every benchmark of a results folder in the order of their paths; refuse any other file."""
    return [read_benchmark(path) for path in sorted(Path(folder, "benchmarks").glob("*/*.jsonl"))]


def read_benchmark(path: Path) -> Benchmark:
    """Read the last line of a benchmark file; a job that runs again rewrites its file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8").splitlines()[-1])
        seconds = float(content["s"])
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise InputError(f"{path}: no benchmark of Snakemake ({error!r}); remove it") from None
    return Benchmark(
        rule=content.get("rule_name", path.parent.name),
        seconds=seconds,
        cpu_seconds=measured_number(content.get("cpu_time")),
        peak_mb=measured_number(content.get("max_rss")),
        wildcards=content.get("wildcards"),
        params=content.get("params"),
        day=datetime.fromtimestamp(path.stat().st_mtime, UTC).date().isoformat(),
    )


def measured_number(value) -> float | None:
    """Read a number; None for NA, which Snakemake writes if it measured nothing."""
    return None if value in (None, "NA", "-") else float(value)
