"""Work in a process of its own that a real signal stops; forked, because importing torch takes longer than the work."""

import os
import signal
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

TERMINATED = 128 + signal.SIGTERM  # the exit code of a job that SIGTERM stopped


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
