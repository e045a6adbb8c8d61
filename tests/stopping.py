"""Stops Snakemake, or work in a separate process, by real signals.

The work is forked, because importing torch takes longer than the work.
"""

import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

TERMINATED, PRESSED = 128 + signal.SIGTERM, 128 + signal.SIGINT  # exit codes of jobs that saved themselves


def in_child(work: Callable[[], object], log: Path) -> int:
    """Do the work in a forked process that prints into `log`; return its process id."""
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        if "torch" in sys.modules:  # a fork lacks the threads of its parent, and would wait for them
            sys.modules["torch"].set_num_threads(1)
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
        os.dup2(1, 2)
        with open(1, "w", buffering=1, closefd=False) as output, redirect_stdout(output):
            work()
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def exit_code(child: int) -> int:
    """Wait for a child; return its exit code (99 after an error, see its log), or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def signal_after(patch, owner, name: str, call: int, which: int) -> None:
    """Let call number `call` of a function send its process a signal after its work."""
    whole, calls = getattr(owner, name), []

    def counted(*given, **named):
        result = whole(*given, **named)
        calls.append(1)
        if len(calls) == call:
            os.kill(os.getpid(), which)
        return result

    patch.setattr(owner, name, counted)


# ---- The head process of Snakemake ----


def kill_head(head: subprocess.Popen) -> None:
    """Kill only the head process: its jobs become orphans, and its lock stays."""
    head.kill()


def terminate_head(head: subprocess.Popen) -> None:
    """Send what a shutdown or a batch system sends."""
    head.terminate()


def press_control_c(head: subprocess.Popen) -> None:
    """Press Ctrl-C: a terminal sends the signal to the head process and to its jobs."""
    os.killpg(head.pid, signal.SIGINT)


def hear_control_c() -> None:
    """Let a new process hear Ctrl-C: a shell's background process ignores it, and so do its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def end_head(command: list[str], folder: Path, reached: Callable, end: Callable, **environment: str) -> None:
    """Start Snakemake in a checkout, and end it at a given moment."""
    environment = os.environ | {"PYTHONPATH": str(folder / "workflow/src")} | environment
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "preexec_fn": hear_control_c}
    head = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True, **options)
    while not reached():
        assert head.poll() is None, "the study finished before it was ended"
        time.sleep(0.02)
    end(head)
    head.wait(timeout=120)  # after SIGTERM, Snakemake lets the running jobs finish and calls that a success
