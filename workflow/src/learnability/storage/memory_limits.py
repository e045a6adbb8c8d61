"""How much memory rows may take, and how much the limits of a job leave: control groups and SLURM's request."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

SHARE = 0.6  # of the free memory; rows may take it, the rest is for the network

# Files with limit and usage of a control group, and the key of memory.stat for file cache that can be freed.
VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
VERSION_2 = ("memory.max", "memory.current", "inactive_file")


def left_in_groups(membership: str, root: Path) -> Iterator[int]:
    """Bytes left under each memory limit above a process; yields nothing without a limit.

    `membership` is the text of /proc/self/cgroup, `root` is /sys/fs/cgroup. Both versions are read: a hybrid
    system has groups of both and limits memory in one of them.
    """
    for line in membership.splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top, files = (root / "memory", VERSION_1) if controllers else (root, VERSION_2)
        own = top / group.lstrip("/")
        for folder in (own, *own.parents):  # a scheduler may limit the job, not this process
            left = left_in_group(folder, *files)
            if left is not None:
                yield left


def left_in_group(folder: Path, limit: str, usage: str, cache: str) -> int | None:
    """Bytes left in one control group, None without a limit; cached file content counts as left."""
    if not (folder / limit).is_file() or not (folder / usage).is_file():
        return None
    allowed = (folder / limit).read_text().strip()
    if allowed == "max":
        return None
    statistics = folder / "memory.stat"
    lines = statistics.read_text().splitlines() if statistics.is_file() else []
    cached = int(dict(line.split() for line in lines).get(cache, 0))
    return int(allowed) - int((folder / usage).read_text()) + cached


def left_of_request(environment: Mapping[str, str]) -> Iterator[int]:
    """Bytes left of the memory that the SLURM job of this process asked for; a request of 0 means the whole node."""
    if asked := int(environment.get("SLURM_MEM_PER_NODE", 0)):
        yield asked * 2**20 - psutil.Process().memory_info().rss
