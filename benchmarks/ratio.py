"""What `make bench` prints: ratios of two things measured in one run, and the machine."""

import os
import platform
from pathlib import Path
from typing import NamedTuple

import torch


class Ratio(NamedTuple):
    """`what` over `over`, in seconds, samples per second or bytes; `goal` in words, `detail` the two figures."""

    what: str
    over: str
    value: float
    goal: str
    detail: str


def as_markdown(ratios: list[Ratio]) -> str:
    lines = ["| what | over | ratio | goal | |", "|---|---|---|---|---|"]
    return "\n".join(lines + [f"| {r.what} | {r.over} | {r.value:.2f} | {r.goal} | {r.detail} |" for r in ratios])


def machine() -> str:
    """The processor, cores, memory, libraries and how busy it is."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    device = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ", no GPU"
    return (
        f"{processor()}, {os.cpu_count()} cores, {memory:.0f} GB{device}; Python {platform.python_version()}, "
        f"torch {torch.__version__}; load {os.getloadavg()[0]:.1f} at the start"
    )


def processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
