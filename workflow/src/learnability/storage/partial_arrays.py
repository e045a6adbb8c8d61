"""Packed arrays that are written together for hours: after a kill, the next writer resumes the last saved state."""

import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from ..errors import InputError
from .arrays import PackedFile
from .interruption import Interruption
from .whole_files import unwritten

SECONDS_BETWEEN_SAVES = 60  # a save waits for the disk and writes a journal of a few lines
JOURNAL, RELEASED = "journal.json", "released"


@contextmanager
def partial_arrays(folder: Path, identity: str, arrays: dict[str, PackedFile]) -> Iterator["PartialArrays"]:
    """Begin `arrays`, or continue those of this identity that an earlier writer left in `folder`.

    If the block ends early, the saved rows stay for the next start, except after an InputError, which would recur.
    """
    partial = PartialArrays(folder, identity, arrays)
    try:
        with partial.interruption:
            partial.begin()
            yield partial
    except BaseException as error:
        partial.close()
        partial.leave(keep=not isinstance(error, InputError))
        raise


class PartialArrays:
    """The {name}.npy of each array and a journal, in a folder of this process alone; the newest writer wins.

    Before it writes, a new writer takes away the folders of all others by renaming them. A writer that is still alive
    (say, on a node that was given up for lost) finds its folder gone at its next save or at its end, and stops. Until
    then its open files may grow, so the new writer never writes to them: it continues with a copy of the rows that the
    journal vouches for, or with the files themselves if their writer released them before it ended.
    """

    def __init__(self, folder: Path, identity: str, arrays: dict[str, PackedFile]):
        self.folder, self.identity, self.arrays, self.rows = folder, identity, arrays, 0
        self.own = folder / f".arrays.{uuid.uuid4().hex}.tmp"
        self.interruption = Interruption(SECONDS_BETWEEN_SAVES)

    def begin(self) -> None:
        """Take over what others left, and open all arrays after their last saved row."""
        self.own.mkdir(parents=True)  # first: of two writers that begin together, one sees the other
        for number, other in enumerate(self.folder.glob(".arrays.*.tmp")):
            if other != self.own:
                with suppress(FileNotFoundError):  # a third process was faster
                    other.rename(self.own / f"taken{number}")
        with self._still_own():
            if not self._go_on():
                for name, array in self.arrays.items():
                    array.begin(self.own / f"{name}.npy")
        for taken in self.own.glob("taken*"):
            shutil.rmtree(taken, ignore_errors=True)

    def _go_on(self) -> bool:
        """Continue the furthest of the arrays that were taken over; False if there are none."""
        found = [(read_journal(path), path.parent) for path in self.own.rglob(JOURNAL)]
        for journal, taken in sorted(found, key=lambda pair: -pair[0].get("rows", 0)):
            if journal.get("identity") != self.identity:
                print(f"{self.folder}: rows of another autoencoder, code or data; discarded", flush=True)
            elif self._open(journal, taken):
                self.rows = journal["rows"]
                return True
        return False

    def _open(self, journal: dict, taken: Path) -> bool:
        """Move or copy files that were taken over into the own folder, and open them if they are sound."""
        move = os.rename if (taken / RELEASED).exists() else shutil.copyfile
        try:
            for file in [*(f"{name}.npy" for name in self.arrays), JOURNAL]:  # then a kill costs nothing
                move(taken / file, self.own / file)
            for name, array in self.arrays.items():
                array.resume(self.own / f"{name}.npy", journal["rows"])
            if self._hashes() == journal["hashes"]:
                return True
        except (EOFError, FileNotFoundError):
            pass
        print(f"{self.folder}: rows left by an earlier writer are damaged; discarded", flush=True)
        self.close()
        (self.own / JOURNAL).unlink(missing_ok=True)
        return False

    def _hashes(self) -> dict[str, str]:
        return {name: array.hash.hexdigest() for name, array in self.arrays.items()}

    def write(self, rows: dict[str, np.ndarray]) -> None:
        """Append the same number of rows to each array; save if it is time."""
        with self._still_own():
            for name, array in self.arrays.items():
                array.write(rows[name])
                self.rows = array.rows
        if self.interruption.is_due():
            self.save()
            self.interruption.saved()

    def save(self) -> None:
        """Force all rows to the disk, then note it in the journal."""
        journal = {"identity": self.identity, "rows": self.rows, "hashes": self._hashes()}
        with self._still_own():
            for array in self.arrays.values():
                array.sync()
            new = self.own / f"{JOURNAL}.new"
            new.write_text(json.dumps(journal))
            new.replace(self.own / JOURNAL)

    def finished(self, name: str) -> np.ndarray:
        """The whole content of an array; nothing can be added any more."""
        with self._still_own():
            self.arrays[name].close()
            return np.load(self.own / f"{name}.npy", allow_pickle=False)

    def commit(self, names: Iterable[str]) -> None:
        """Give the arrays `names` their paths, and remove everything else."""
        with self._still_own():
            for name in names:
                self.arrays[name].close()
                (self.own / f"{name}.npy").replace(self.arrays[name].path)
        shutil.rmtree(self.own, ignore_errors=True)

    def leave(self, keep: bool) -> None:
        """Let go of the files; leave the saved rows to the next writer, or nothing."""
        if keep and (self.own / JOURNAL).exists():
            with suppress(OSError):  # a full disk, or another process has it
                (self.own / RELEASED).touch()
        else:
            shutil.rmtree(self.own, ignore_errors=True)

    def close(self) -> None:
        for array in self.arrays.values():
            with suppress(OSError):  # a full disk
                array.close(finished=False)

    @contextmanager
    def _still_own(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise InputError(f"{self.folder}: another process continues these arrays; this one ends") from error
        except OSError as error:
            raise unwritten(self.folder, error) from error


def read_journal(path: Path) -> dict:
    """Read a journal; {} if a machine went down before its content was on the disk."""
    try:
        return json.loads(path.read_text())
    except ValueError:
        return {}
