"""Runs parts, each in its own process with a time limit, and keeps every figure as it comes."""

import contextlib
import functools
import importlib
import os
import select
import signal
import threading
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
         "unit", "together", "compiled")  # by worth: what comes last is what a short time leaves out  # fmt: skip
LEAST_SECONDS = 15  # with less time left, no part begins
# Imported once in the process from which the parts are forked; missing packages are skipped. Not diffusers: it queries
# the GPUs when imported, and after that CUDA does not work in a fork.
PRELOADED = ("torch", "torchvision", "timm", "pandas", "learnability.training.engine")


code_of_package = functools.cache(package_digest)


def part_of(name: str):
    """The module of a part: `figures(setting)`, and SECONDS, which it may take on an H100."""
    return importlib.import_module(f"{__package__}.parts.{name}")


def identity_of(setting: Setting) -> str:
    """A digest of all that figures depend on; if it changes, they are measured anew. Parts use each other."""
    shared = [HERE / "setting.py", HERE / "studies.py", HERE.parent / "noise_study.py"]
    own = [file_digest(path) for path in [*shared, *sorted((HERE / "parts").glob("*.py"))]]
    return digest([code_of_package(), *own, torch.__version__, setting.tiny])


def run_parts(names: list[str], setting: Setting, results: Results, seconds: float) -> None:
    """Run the parts in turn while there is time; `results` says how each ended."""
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
    """Run a part and add its figures to `results`; return how it ended."""
    context = get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    ours, theirs = context.Pipe(duplex=False)
    # In its own process, because after an error on a GPU everything else in the process fails too.
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
        process.kill()  # in case it has not begun yet
        process.join()


def measure(name: str, setting: Setting, connection: Connection) -> None:
    """In the part's process: send each figure, and at the end how it went."""
    os.setsid()  # so that child processes end with the part
    threading.Thread(target=end_with, args=(connection,), daemon=True).start()
    torch.set_num_threads(1)
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)  # the engine's output about epochs
    try:
        for figure in part_of(name).figures(setting):
            connection.send(tuple(figure))
        connection.send(DONE)
    except Exception:
        connection.send(f"failed: {traceback.format_exc(limit=-3)}")


def end_with(connection: Connection) -> None:
    """End this process and its children when nobody reads the figures: a killed command leaves no part on the GPU."""
    waiting = select.poll()
    waiting.register(connection.fileno(), 0)
    waiting.poll()
    os.killpg(0, signal.SIGKILL)
