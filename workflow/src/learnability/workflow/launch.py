"""Starts a local run of Snakemake after clearing what a killed run left behind: orphan jobs and the lock.

    python -m learnability.workflow.launch snakemake --profile profiles/local ...

Snakemake itself neither finds the jobs of a killed head process nor notices that a lock's owner is dead.
"""

import os
import subprocess
import sys
from pathlib import Path

import psutil

from ..study.words import counted

SAID = 4000  # characters of a Snakemake message
MARK = "LEARNABILITY_RUN"  # in the environment of every process of a run: folder|head|its start|its parent


def mark_of(process: psutil.Process) -> str | None:
    """The mark that a process inherited, or None; processes of other users cannot be read.

    A SLURM job on this machine has inherited it too, but it is left to scancel.
    """
    try:
        environment = process.environ()
    except (psutil.Error, OSError):
        return None
    return environment.get(MARK) if environment.get("SLURM_JOB_ID") == os.environ.get("SLURM_JOB_ID") else None


def head_is_alive(mark: str) -> bool:
    """Whether the head process of a mark still runs, and the process that started it too."""
    _, pid, started, parent = mark.rsplit("|", 3)
    try:
        head = psutil.Process(int(pid))
        same = abs(head.create_time() - float(started)) < 1
        return same and head.status() != psutil.STATUS_ZOMBIE and head.ppid() == int(parent)
    except psutil.Error:
        return False


def processes_of(folder: Path) -> list[tuple[psutil.Process, str]]:
    """Every other process that belongs to a run in `folder`, with its mark."""
    found = []
    for process in psutil.process_iter():
        mark = mark_of(process) if process.pid != os.getpid() else None
        if mark and mark.startswith(f"{folder}|"):
            found.append((process, mark))
    return found


def end_orphans(folder: Path) -> None:
    """End the processes of runs whose head is dead; stop if a run is alive. Finished work stays."""
    found = processes_of(folder)
    alive = sorted({mark.rsplit("|", 3)[1] for _, mark in found if head_is_alive(mark)})
    if alive:
        sys.exit(f"Error: a run in {folder} is going on (process {', '.join(alive)}); wait for it, or stop it first")
    for process, _ in found:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs([process for process, _ in found], timeout=10)
    if found:
        print(f"ended {counted(len(found), 'process')} of a run that was killed", flush=True)


def other_snakemake(folder: Path) -> int | None:
    """The process of another Snakemake that works in `folder`, if any: a lock there may be its own."""
    own = {os.getpid(), *(process.pid for process in psutil.Process().parents())}  # such as `timeout`, or a shell
    for process in psutil.process_iter():
        try:
            if process.pid not in own and "snakemake" in " ".join(process.cmdline()) and process.cwd() == str(folder):
                return process.pid
        except (psutil.Error, OSError):
            continue
    return None


def is_locked(folder: Path) -> bool:
    return any((folder / ".snakemake" / "locks").glob("*.lock"))


def clear_lock(folder: Path, command: list[str]) -> None:
    """Remove Snakemake's lock if its owner is dead."""
    if is_locked(folder) and not other_snakemake(folder):
        print("clearing the lock of a run that was killed", flush=True)
        end = command.index("--") if "--" in command else len(command)  # what follows are targets
        unlock = [*command[:end], "--unlock", *command[end:]]
        done = subprocess.run(unlock, check=False, capture_output=True, text=True)
        if done.returncode:
            said = (done.stdout + done.stderr).strip()[-SAID:] or f"it ended with {done.returncode}"
            sys.exit(f"Error: {folder} was not unlocked: {said}\nType the same command again")


def main(command: list[str]) -> None:
    """Clear up, then become Snakemake, so that its exit code is that of this program."""
    folder = Path.cwd()
    try:
        end_orphans(folder)
        clear_lock(folder, command)
    except KeyboardInterrupt:
        sys.exit("stopped before the run began; type the same command again")
    os.environ[MARK] = f"{folder}|{os.getpid()}|{psutil.Process().create_time()}|{os.getppid()}"
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
