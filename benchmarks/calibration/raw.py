"""The raw results of simulated studies, kept on disk in stacks: a command that was stopped goes on where it was."""

import hashlib
import os
import time
import zlib
from pathlib import Path

import numpy as np

from learnability.datasets import folds
from learnability.significance import group_level

from . import designs, learners, simulated, studies
from .designs import SMALL
from .simulated import Simulated, simulate
from .studies import Scenario, strengths_of

STACK = 50  # studies that are computed, and kept, at once
TRIAL = 100  # studies that find the strengths at which the gaps are as wanted


def simulated_studies(
    scenario: Scenario, gaps: tuple[float, ...], number: int, seed: int, folder: Path
) -> tuple[Simulated, float]:
    """`number` studies of a scenario at each gap, and the seconds of CPU that they took; what is on disk is read."""
    made = designs.designs(SMALL, seed)
    own = [seed, zlib.crc32(scenario.name.encode())]
    strengths = []
    stacks, seconds = [], 0.0
    place = folder / f"{scenario.name.replace(' ', '_').replace(',', '')}-{_digest(scenario, gaps, seed)}"
    for stack in range(-(-number // STACK)):
        path = place / f"{stack}.npz"
        if not path.exists():
            started = time.process_time()
            strengths = strengths or [
                strengths_of(gaps, design, at, scenario, TRIAL, own[1]) for at, design in enumerate(made)
            ]
            found = simulate(made, strengths, scenario, STACK, [*own, stack])
            _write(found, time.process_time() - started, path)
        with np.load(path) as kept:
            stacks.append(Simulated(*(kept[field] for field in Simulated._fields)))
            seconds += float(kept["seconds"])
    axes = (0, 1, 0, 1, 1, 1)  # of the studies
    joined = (np.concatenate(parts, axis) for parts, axis in zip(zip(*stacks, strict=True), axes, strict=True))
    return Simulated(*joined), seconds


def _write(found: Simulated, seconds: float, path: Path) -> None:
    """A file is whole or it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.npz")
    np.savez_compressed(partial, seconds=seconds, **found._asdict())
    partial.replace(path)


def _digest(*values: object) -> str:
    """Of these values and of the code that computes: results of other code are not taken for its own."""
    digest = hashlib.sha256(repr((values, SMALL, STACK, TRIAL)).encode())
    for module in (designs, learners, studies, simulated, folds, group_level):
        digest.update(Path(module.__file__).read_bytes())
    return digest.hexdigest()[:12]
