"""What a real signal stops: Snakemake, and work in a process of its own.

The work is forked, because importing torch takes longer than it does.
"""

import os
import signal
import subprocess
import time
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

TERMINATED, PRESSED = 128 + signal.SIGTERM, 128 + signal.SIGINT  # exit codes of jobs that saved themselves


def in_child(work: Callable[[], object], log: Path) -> int:
    """Do the work in a forked process that prints into `log`; returns its process id."""
    child = os.fork()
    if child:
        return child
    code = 99
    try:
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
    """Wait for a child; its exit code (99 after an error, which its log has), or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def signal_after(patch, owner, name: str, call: int, which: int) -> None:
    """Let call number `call` of a function send its process a signal when it has done its work."""
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
    """The head process alone dies: its jobs are orphans, its lock stays."""
    head.kill()


def terminate_head(head: subprocess.Popen) -> None:
    """What a shutdown, or a batch system, sends."""
    head.terminate()


def press_control_c(head: subprocess.Popen) -> None:
    """A terminal sends the signal to the head process and its jobs alike."""
    os.killpg(head.pid, signal.SIGINT)


def hear_control_c() -> None:
    """In a new process: what a shell starts in the background ignores the signal, and its children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def end_head(command: list[str], folder: Path, reached: Callable, end: Callable, **environment: str) -> None:
    """Start Snakemake in a checkout, and end it as soon as a moment is reached."""
    environment = os.environ | {"PYTHONPATH": str(folder / "workflow/src")} | environment
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "preexec_fn": hear_control_c}
    head = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True, **options)
    while not reached():
        assert head.poll() is None, "the study finished before it was ended"
        time.sleep(0.02)
    end(head)
    head.wait(timeout=120)  # after SIGTERM, Snakemake lets the running jobs finish and calls that a success
