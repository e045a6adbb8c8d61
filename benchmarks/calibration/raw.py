"""Keeps the raw results of simulated studies on disk in stacks, so that a stopped command continues."""

import hashlib
import inspect
import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from learnability.paper import gap_claims, own_claims
from learnability.paper import verdicts as rules_of_verdicts
from learnability.significance import controls as rules_of_controls
from learnability.summary import controls as failures_of_controls

from . import scores
from .controls import controlled
from .designs import SMALL, Design, designs
from .simulated import Simulated, simulate
from .studies import Scenario, strengths_of
from .verdicts import Case, verdicts

STACK = 50  # studies that are computed and stored at once
TRIAL = 60  # studies from which the strengths for the wanted gaps are found


def simulated_studies(
    scenario: Scenario, gaps: tuple[float, ...], number: int, seed: int, folder: Path
) -> tuple[Simulated, float]:
    """`number` studies of a scenario at each gap, and their CPU seconds; reads what is on disk."""
    made = designs(SMALL, seed)
    own = [seed, zlib.crc32(scenario.name.encode())]
    strengths = []
    stacks, seconds = [], 0.0
    place = folder / f"{scenario.name.replace(', ', '_').replace(' ', '_')}-{_digest(scenario, made, gaps, seed)}"
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
    axes = (0, 1, 0, 1, 1, 1)  # the axis of studies in each field
    joined = (np.concatenate(parts, axis) for parts, axis in zip(zip(*stacks, strict=True), axes, strict=True))
    return Simulated(*joined), seconds


def judged_studies(case: Case, number: int, seed: int, folder: Path) -> tuple[pd.DataFrame, float]:
    """The verdicts on `number` studies of a case, and their CPU seconds; reads what is on disk."""
    place = folder / "verdicts" / _digest_of_verdicts(case, seed)
    own = [seed, zlib.crc32(case.name.encode())]
    return _frames(place, number, lambda stack: verdicts(case, STACK, [*own, stack]))


def controlled_studies(
    scenario: Scenario, gap: float, folds: int, number: int, seed: int, folder: Path
) -> tuple[pd.DataFrame, float]:
    """`number` studies with judged controls, and their CPU seconds; the lossless control has this gap."""
    made, own = designs(SMALL, seed, folds), [seed, zlib.crc32(scenario.name.encode())]
    alike = (1.0,) * len(made)
    rules = [inspect.getsource(module) for module in (rules_of_controls, failures_of_controls)]
    digest = _digest_of(scenario, gap, folds, seed, rules, controlled(made, alike, scenario, 2, [0]).to_csv())

    def stack_of(stack: int) -> pd.DataFrame:
        costing = [strengths_of((gap,), design, at, scenario, TRIAL, own[1])[0] for at, design in enumerate(made)]
        return controlled(made, costing if gap else alike, scenario, STACK, [*own, 5, stack])

    return _frames(folder / "controls" / digest, number, stack_of)


def scored_studies(scenario: Scenario, number: int, seed: int, folder: Path) -> tuple[pd.DataFrame, float]:
    """The tests over folds of `number` studies without a difference, and their CPU seconds."""
    made, own = designs(SMALL, seed), [seed, zlib.crc32(scenario.name.encode())]
    digest = _digest_of(scenario, seed, scores.compared(made, scenario, 2, [0]).to_csv())
    return _frames(
        folder / "scores" / digest, number, lambda stack: scores.compared(made, scenario, STACK, [*own, 6, stack])
    )


def _frames(place: Path, number: int, stack_of: Callable[[int], pd.DataFrame]) -> tuple[pd.DataFrame, float]:
    """Stacks of `number` studies, one below the other, and the CPU seconds of all; reads what is on disk."""
    stacks, seconds = [], 0.0
    for stack in range(-(-number // STACK)):
        path = place / f"{stack}.csv"
        if not path.exists():
            started = time.process_time()
            found = stack_of(stack)
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(f".{os.getpid()}")
            found.assign(seconds=time.process_time() - started).to_csv(partial, index=False)
            partial.replace(path)
        stacks.append(pd.read_csv(path).assign(stack=stack))
        seconds += stacks[-1].pop("seconds").iloc[0]
    return pd.concat(stacks, ignore_index=True), seconds


def _digest_of_verdicts(case: Case, seed: int) -> str:
    """Digest of the settings, of two small studies, and of the rules, because few studies meet the edge of a rule."""
    rules = [inspect.getsource(module) for module in (rules_of_verdicts, gap_claims, own_claims)]
    probe = verdicts(case, 2, [0]).to_csv()
    return _digest_of(case, seed, probe, rules)


def _digest_of(*settings: object) -> str:
    return hashlib.sha256(repr((STACK, *settings)).encode()).hexdigest()[:12]


def _write(found: Simulated, seconds: float, path: Path) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.npz")
    np.savez_compressed(partial, seconds=seconds, **found._asdict())
    partial.replace(path)


def _digest(scenario: Scenario, made: tuple[Design, ...], *settings: object) -> str:
    """Digest of the settings and of two small studies, so that results of differing code are not reused."""
    probe = simulate(made, [(1.0, 0.8)] * len(made), scenario, 2, [0])
    digest = hashlib.sha256(repr((scenario, settings, STACK, TRIAL)).encode())
    for values in probe:
        digest.update((np.round(values, 9) + 0.0).tobytes())
    return digest.hexdigest()[:12]
