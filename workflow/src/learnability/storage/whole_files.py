"""Files that are written whole or not at all, also where several processes or machines write the same."""

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ADVICE = {  # by the system's error number
    errno.ENOSPC: "the disk is full: free some space there",
    errno.EDQUOT: "your quota of the disk is used up: free some space there",
    errno.EROFS: "give a `results` folder that may be written to",
    errno.EACCES: "give a `results` folder that may be written to",
    errno.EPERM: "give a `results` folder that may be written to",
}
SECONDS_UNTOUCHED = 3600  # a temporary of another machine that is older was left by a dead writer


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; it takes the name `path` only if the block ends without an error.

    Each of several writers, also on other machines, has its own temporary; the file of the last to end stays. The
    leftovers of killed writers are removed.
    """
    path = Path(path)
    temporary = own_temporary(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(path)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise unwritten(path, error) from error
    finally:
        with suppress(OSError):  # a folder without write permission: there is nothing to remove
            temporary.unlink(missing_ok=True)


def unwritten(path: Path, error: OSError) -> OSError:
    """The error for a file that could not be written, with what to do about it."""
    advice = ADVICE.get(error.errno, "mend that")
    return OSError(error.errno, f"{path} could not be written: {error.strerror or error}; {advice}, and run again")


def own_temporary(path: Path) -> Path:
    """A name beside `path` that only this process writes to."""
    return path.with_name(f".{path.name}.{os.uname().nodename}-{os.getpid()}.tmp")


def remove_abandoned(path: Path) -> None:
    """Remove temporaries of `path` whose writers are dead, judged by process on this machine and by age on others.

    A living writer may lose its temporary if it was suspended for long. It then fails at its end; no file is harmed.
    """
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        host, _, process = left.name[len(path.name) + 2 : -len(".tmp")].rpartition("-")
        with suppress(FileNotFoundError):  # another process removed it
            old = time.time() - left.stat().st_mtime > SECONDS_UNTOUCHED
            if old or (host == os.uname().nodename and not is_another_running(int(process))):
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def is_another_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return process != os.getpid()
