"""Snakemake whose Python scripts start warm, as forks of a process that has already imported what they need.

    python -m learnability.workflow.warm_snakemake --profile profiles/local ...

takes the arguments of `snakemake`. Imports take most of a job's time in a small study. Here one process, the server,
imports once while Snakemake plans, and each job is a fork of it, with the same bytes, log, environment, signals and
exit code. The head adopts the fork, so it waits for it, ends it and measures it like any other child. Jobs that are no
scripts, and scripts with several threads, an environment or a container, start as usual; so do all jobs outside Linux
or beside a GPU.
"""

import atexit
import ctypes
import gc
import json
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

from .gpu_leases import find_cards

# Nothing of this project, because a running study must see its edits.
IMPORTED = (
    "diffusers.models.autoencoders", "huggingface_hub", "matplotlib.backends.backend_svg", "optuna", "pandas", "psutil",
    "pyarrow.dataset", "pyarrow.pandas_compat", "pyarrow.parquet", "safetensors.torch", "scipy.stats", "snakemake.io",
    "snakemake.logging", "timm", "torch",
)  # fmt: skip
# These start as usual: one is online, and the other measures itself.
COLD = {"fetch_weights", "measure_efficiency"}
# The command of snakemake.shell for a Python script in the environment of Snakemake itself.
SCRIPT = re.compile(rf"set -euo pipefail; +{re.escape(sys.executable)} (\S*\.snakemake/scripts/[^.\s]+\.(\w+)\.py)")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # of those that Snakemake sets
SUBREAPER, DEATH_SIGNAL = 36, 1  # options of prctl(2)
NO_JOBS = re.compile(r"-[a-z]*n[a-z]*|--(dry-?run|unlock|lint|report|list|list-.*|summary|detailed-summary|touch)")


class Fork:
    """A job with the part of subprocess.Popen that snakemake.shell uses."""

    def __init__(self, pid: int):
        self.pid = pid

    def wait(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)


class Starter:
    """Starts the commands of jobs: scripts through the server at the other end of `line`, all others as usual."""

    def __init__(self, line: socket.socket):
        self.line, self.answers, self.lock, self.stopped = line, line.makefile("r"), threading.Lock(), False

    def stop(self, number: int, frame) -> None:
        """After Ctrl-C: jobs that wait for the server no longer start in any way."""
        self.stopped = True
        self.line.shutdown(socket.SHUT_RDWR)
        signal.default_int_handler(number, frame)

    def __call__(self, command: str, env: dict[str, str], **options) -> Fork | subprocess.Popen:
        script = SCRIPT.fullmatch(command)
        if script and script[2] not in COLD and env["OMP_NUM_THREADS"] == "1":
            request = {"script": script[1], "folder": os.getcwd(), "environment": env}
            try:
                with self.lock:
                    self.line.sendall(f"{json.dumps(request)}\n".encode())
                    return Fork(int(self.answers.readline()))
            except (OSError, ValueError):  # the server is gone
                pass
        if self.stopped:
            raise KeyboardInterrupt
        return subprocess.Popen(command, env=env, **options)


def serve(line: socket.socket, head: int) -> dict:
    """Fork a job for every request until the head is gone; returns only in the job, with its request.

    A process between server and job ends at once, so the job is an orphan, which the head adopts.
    """
    prctl(DEATH_SIGNAL, signal.SIGKILL)
    warm_up()
    requests, (end, start) = line.makefile("r"), os.pipe()
    for request in requests:
        if between := os.fork():
            if os.waitpid(between, 0)[1]:  # it could not fork: the head starts its jobs as usual
                sys.exit()
            line.sendall(os.read(end, 20))
            continue
        between = os.getpid()
        if job := os.fork():
            os.write(start, f"{job}\n".encode())
            os._exit(0)
        while os.getppid() == between:
            time.sleep(0.001)
        prctl(DEATH_SIGNAL, signal.SIGTERM)  # a killed head leaves no jobs behind
        if os.getppid() != head:
            break
        for number in (line.detach(), end, start):
            os.close(number)
        return json.loads(request)
    sys.exit()


def warm_up() -> None:
    """Import what jobs import, in the way of a job with one thread."""
    os.environ |= dict.fromkeys(THREADS, "1")  # libraries read it when they are loaded
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["JE_ARROW_MALLOC_CONF"] = "background_thread:false"  # otherwise pyarrow's allocator starts a thread
    gc.set_threshold(100_000)
    for name in IMPORTED:
        import_module(name)
    gc.freeze()  # otherwise every job's garbage collector walks all of it again
    if (torch := sys.modules.get("torch")) and torch.cuda.is_available():  # asked here, it cannot be asked in a fork
        sys.exit("Note: PyTorch sees a GPU that nvidia-smi does not list; jobs start as ever")
    if len(os.listdir("/proc/self/task")) > 1:
        sys.exit("Note: a library has started a thread, which a fork would not have; jobs start as ever")


def become(request: dict) -> str:
    """Become the process that runs the script: folder, environment, path and randomness; returns the script."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    tempfile.tempdir = None  # so that it is read from the environment again
    sys.modules["numpy"].random.seed()  # otherwise all jobs draw the same numbers
    sys.argv = [request["script"]]
    if not sys.flags.safe_path:
        sys.path[0] = str(Path(request["script"]).parent.absolute())
    return request["script"]


def prctl(option: int, value: int) -> bool:
    return ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0


def run_script(script: str) -> int:
    """Run the script; returns the exit code with which Python would end."""
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def leave(codes: list[int]) -> None:
    """End at once, after the exit handlers: Python would take a second to tear down what the server imported."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(codes[0] if codes else 1)


def main(arguments: list[str]) -> None:
    """Be Snakemake; a fork is the server, and its forks are the jobs."""
    runs_jobs = not any(map(NO_JOBS.fullmatch, arguments))
    if runs_jobs and sys.platform == "linux" and not find_cards(os.environ) and prctl(SUBREAPER, 1):
        head, (ours, theirs) = os.getpid(), socket.socketpair()
        if os.fork() == 0:
            ours.close()
            atexit.register(leave, codes := [])
            handler = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for the head and the jobs
            script = become(serve(theirs, head))
            signal.signal(signal.SIGINT, handler)
            codes.append(run_script(script))
            return
        theirs.close()
        starter = Starter(ours)
        signal.signal(signal.SIGINT, starter.stop)
        import_module("snakemake.shell").sp = SimpleNamespace(**vars(subprocess) | {"Popen": starter})
    sys.argv = ["snakemake", *arguments]
    import_module("snakemake.cli").main()


if __name__ == "__main__":
    main(sys.argv[1:])
