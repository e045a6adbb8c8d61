"""The journal of a search: JSON lines that several processes append to, on any file system; it survives a kill."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from ..errors import InputError
from ..storage.whole_files import unwritten, written_whole

JOURNAL = "journal.log"
GRACE_SECONDS = 30  # a lock that stays so long was left by a process that was killed: it is held for milliseconds


def begin_study(folder: Path, identity: str) -> optuna.Study:
    """The search of this identity in the folder's journal, begun if need be; one of another identity is discarded."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / JOURNAL
    with held(lock_of(path)):
        found = recorded(path)
        if found not in (None, identity):
            print(f"{path}: left by a search of another space, recipe, code, data or seed; discarded", flush=True)
            for checkpoint in folder.glob("trial*.checkpoint.safetensors"):
                checkpoint.unlink()
        if found != identity:
            with written_whole(path) as new:
                storage = JournalStorage(JournalFileBackend(str(new), lock_of(new)))
                optuna.create_study(storage=storage, study_name=identity, direction="maximize")
    return load_study(path, identity)


def load_study(path: Path, identity: str) -> optuna.Study:
    """The search of this identity, which the journal holds."""
    try:
        return optuna.load_study(storage=JournalStorage(Journal(path, identity)), study_name=identity)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: unreadable ({error}); remove {path.parent} to search again") from error


def lock_of(path: Path) -> JournalFileOpenLock:
    """A lock between processes, also of several machines: the file {path}.lock, made with O_EXCL.

    That is exclusive on NFS since its version 3. Optuna's other lock, a symbolic link, is so on version 2 as well, but
    one that a killed process left is never seen to grow old where the path is relative (as `results` is), because its
    age is asked of what the link points to: whoever waits for it then waits for ever.
    """
    return JournalFileOpenLock(str(path), GRACE_SECONDS)


def recorded(path: Path) -> str | None:
    """The identity of the search that a journal holds: its first line. None where there is no journal."""
    try:
        with path.open("rb") as file:
            return json.loads(file.readline())["study_name"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not the journal of a search ({error}); remove {path.parent}") from error


def check_recorded(path: Path, identity: str) -> None:
    """Refuse to continue if another search has begun: this job outlived the workflow that started it."""
    if recorded(path) != identity:
        raise InputError(f"{path}: a search of another space, recipe, code, data or seed began; this one ends")


@contextmanager
def held(lock: JournalFileOpenLock) -> Iterator[None]:
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


class Journal(JournalFileBackend):
    """Optuna's journal, JSON lines; each append is under a lock, and one that fails names the file."""

    def __init__(self, path: Path, identity: str):
        super().__init__(str(path), JournalLock(path, identity))
        self.path, self.identity = path, identity

    def read_logs(self, log_number_from: int) -> Iterator[dict]:
        check_recorded(self.path, self.identity)
        return super().read_logs(log_number_from)

    def append_logs(self, logs: list[dict]) -> None:
        try:
            super().append_logs(logs)
        except OSError as error:
            raise unwritten(self.path, error) from error


class JournalLock(JournalFileOpenLock):
    """The right to append to a journal, given only for the search that it holds, and after a whole line."""

    def __init__(self, path: Path, identity: str):
        super().__init__(str(path), GRACE_SECONDS)
        self.path, self.identity = path, identity

    def acquire(self) -> bool:
        super().acquire()
        try:
            cut_half_line(self.path)
            check_recorded(self.path, self.identity)
        except BaseException:
            self.release()
            raise
        return True


def cut_half_line(path: Path) -> None:
    """Remove what follows the last line end: a writer was killed there, or its disk was full."""
    with path.open("rb+") as file:
        content = file.read()
        if not content.endswith(b"\n"):
            file.truncate(content.rfind(b"\n") + 1)
