"""One study at a time in a results folder, and the records of that folder beside the Snakemake that runs it.

Snakemake locks the folder in which it runs, not the results, which two folders may share. It records the parameters of
a result in the `.snakemake` of the folder that made it; in any other folder every file counts as up to date. So each
run leaves a new token in both places, and a run that finds another token is refused.
"""

import fcntl
import os
import socket
import uuid
from pathlib import Path

from ..errors import InputError
from ..storage.contracts import digest, read_json, write_json
from ..storage.vouched import TOKEN

LOCK = ".running"
KNOWN = Path(".snakemake", "results")  # the tokens that this folder left, in a file for each results folder
HELD = []  # locks last while their files are open, that is, until this process ends in any way


def begin_run(results: Path, alone: bool = True) -> None:
    """Take the results folder for this process and leave a token; `alone` False (--nolock) only leaves the token.

    Raises InputError if another process has the folder, or if it cannot be written.
    """
    try:
        results.mkdir(parents=True, exist_ok=True)
        if alone:
            hold(results)
        leave_token(results)
    except OSError as error:
        raise InputError(
            f"{results}: cannot be written to ({error.strerror or error}); make it writable, or give this study "
            "another folder with `--config results=...`"
        ) from error


def hold(results: Path) -> None:
    file = (results / LOCK).open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise InputError(
            f"{results}: another study writes into this folder ({file.read().strip()}); wait until it has ended, or "
            "give this one its own with `--config results=...`"
        ) from None
    except OSError:  # a file system without locks
        return
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}, in {Path.cwd()}\n")
    file.flush()
    HELD.append(file)


def leave_token(results: Path) -> None:
    """Leave a new token; the old one counts until the new one is in both places."""
    token = uuid.uuid4().hex
    write_json({"tokens": [token, *tokens_of(results / TOKEN)]}, record_of(results))
    write_json({"tokens": [token]}, results / TOKEN)


def refuse_unknown_results(results: Path) -> None:
    """Refuse results whose last run was in another folder, because Snakemake would take all of them as up to date."""
    made_by = tokens_of(results / TOKEN)
    if made_by and (results / "datasets").is_dir() and not {*made_by} & {*tokens_of(record_of(results))}:
        raise InputError(
            f"{results}: the records of its last run are not in this folder (.snakemake): it was made from another, "
            "under another name, or they were removed. So it is not known here by which configuration. If it is "
            "that of now, `learnability adopt --configfile ...` compares and takes it over; else run where it was "
            "made, or give this study a folder of its own with `--config results=...`"
        )


def accept_results(results: Path) -> None:
    """Count the last run of these results as one of this folder."""
    if left := tokens_of(results / TOKEN):
        write_json({"tokens": left}, record_of(results))


def record_of(results: Path) -> Path:
    return KNOWN / f"{digest(str(results))}.json"


def tokens_of(path: Path) -> list[str]:
    """The tokens in a file; none if it is missing or damaged."""
    try:
        return read_json(path).get("tokens", [])
    except (OSError, InputError):
        return []
