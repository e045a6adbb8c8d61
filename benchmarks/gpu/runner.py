"""Runs parts, each in a process of its own with a limit, and keeps every figure as it comes."""

import contextlib
import functools
import importlib
import os
import signal
import time
import traceback
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from learnability.storage.contracts import digest, file_digest
from learnability.workflow.provenance import package_digest

from .results import DONE, Results
from .setting import Figure, Setting

HERE = Path(__file__).parent
PARTS = ("machine", "train", "step", "syncs", "autoencoders", "encode", "agreement", "inference", "start", "resume",
         "unit", "together")  # by worth: what comes last is what a short time leaves out  # fmt: skip
LEAST_SECONDS = 15  # with less left, a part is not begun
# Imported once, in the process that those of the parts are forked from; what is missing is passed over. Not diffusers:
# it asks for the GPUs when it is imported, and in a fork of a process that has asked, CUDA does not work.
PRELOADED = ("torch", "torchvision", "timm", "pandas", "learnability.training.engine")


code_of_package = functools.cache(package_digest)


def part_of(name: str):
    """The module of a part: `figures(setting)`, and SECONDS, which it may take on an H100."""
    return importlib.import_module(f"{__package__}.parts.{name}")


def identity_of(setting: Setting) -> str:
    """What figures depend on: where it changed, they are measured anew. Parts use each other."""
    shared = [HERE / "setting.py", HERE / "studies.py", HERE.parent / "noise_study.py"]
    own = [file_digest(path) for path in [*shared, *sorted((HERE / "parts").glob("*.py"))]]
    return digest([code_of_package(), *own, torch.__version__, setting.tiny])


def run_parts(names: list[str], setting: Setting, results: Results, seconds: float) -> None:
    """Run the parts in turn while there is time; how each ended is in `results`."""
    end = time.monotonic() + seconds
    for name in names:
        left = end - time.monotonic()
        if left < LEAST_SECONDS:
            print(f"{name}: left out, {left:.0f} s are left; the same command goes on with it", flush=True)
            continue
        results.begin(name, identity_of(setting))
        started = time.monotonic()
        ended = run_part(name, setting, results, min(part_of(name).SECONDS, left))
        results.end(name, ended, time.monotonic() - started)
        print(f"{name}: {ended}, {time.monotonic() - started:.0f} s", flush=True)


def run_part(name: str, setting: Setting, results: Results, limit: float) -> str:
    """Run one part and add its figures to `results`; returns how it ended."""
    context = get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    ours, theirs = context.Pipe(duplex=False)
    # A process of its own, because an error on a GPU leaves all that its process does afterwards in error.
    process = context.Process(target=measure, args=(name, replace(setting, seconds=limit), theirs))
    process.start()
    theirs.close()
    deadline = time.monotonic() + limit
    try:
        while ours.poll(max(0.0, deadline - time.monotonic())):
            try:
                said = ours.recv()
            except EOFError:
                process.join()
                return f"failed: its process ended with {process.exitcode}"
            if isinstance(said, str):
                return said
            results.add(name, Figure(*said))
        return f"stopped after {limit:.0f} s"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()  # should it not have begun yet
        process.join()


def measure(name: str, setting: Setting, connection: Connection) -> None:
    """In the part's process: send each figure, and in the end how it went."""
    os.setsid()  # what the part starts ends with it
    torch.set_num_threads(1)
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)  # what the engine says of its epochs
    try:
        for figure in part_of(name).figures(setting):
            connection.send(tuple(figure))
        connection.send(DONE)
    except Exception:
        connection.send(f"failed: {traceback.format_exc(limit=-3)}")
