"""A GPU for every job on a machine without a scheduler, leased by a lock that the kernel releases when the job ends.

The head process offers the GPUs in its environment, which jobs inherit; a job takes one before CUDA starts.
"""

import contextlib
import fcntl
import itertools
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, MutableMapping
from pathlib import Path

from ..errors import InputError

VISIBLE, ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"
CARDS, JOBS = "LEARNABILITY_CARDS", "LEARNABILITY_JOBS_PER_CARD"
LISTED = re.compile(r"^(?:GPU (\d+)| +MIG ).*\(UUID: ([^)]+)\)", re.MULTILINE)  # instances stand below their GPU
PATIENCE = 0.5  # seconds between two looks for a free card


def find_cards(environment: MutableMapping[str, str]) -> list[str]:
    """The GPUs that this process may use: those in CUDA_VISIBLE_DEVICES, else all that nvidia-smi lists.

    A GPU has the number of nvidia-smi, so that two studies call it the same.
    """
    given, cards = environment.get(VISIBLE), listed_cards()
    names = [name for name in cards if name.isdigit()] if given is None else [name.strip() for name in given.split(",")]
    names = names[: next((at for at, name in enumerate(names) if name in ("", "-1")), None)]  # as CUDA reads it
    return [card for name in names for card in cards_called(name, cards)]


def cards_called(name: str, cards: dict[str, list[str]]) -> list[str]:
    """The cards of the GPU with this number, or whose UUID is `name` or begins with it, as for CUDA.

    `name` itself where there is not exactly one.
    """
    found = [name] if name in cards else [each for each in cards if each.startswith(name) and not each.isdigit()]
    return cards[found[0]] if len(found) == 1 else [name]


def listed_cards() -> dict[str, list[str]]:
    """The cards of every GPU that nvidia-smi lists, by its number and by its UUID; empty without nvidia-smi.

    A GPU is one card, called by its number. A divided one (MIG) is as many as it has instances, which are called by
    their UUIDs; CUDA would give all jobs of that GPU the first instance.
    """
    if not shutil.which("nvidia-smi"):
        return {}
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    found: dict[str, list[str]] = {}
    cards: list[str] = []
    for number, uuid in LISTED.findall(listed.stdout if listed.returncode == 0 else ""):
        if number:
            cards = found[number] = found[uuid] = [number]
        else:
            cards[:] = [*(card for card in cards if not card.isdigit()), uuid]
            found[uuid] = [uuid]
    return found


def offer_cards(environment: MutableMapping[str, str], jobs_per_card: int) -> int:
    """Let the jobs that inherit `environment` lease a GPU each; return how many may run at once, 0 without a GPU."""
    if jobs_per_card < 1:
        raise InputError(f"resources: jobs_per_gpu is {jobs_per_card}; give the jobs that may share a card, 1 or more")
    cards = find_cards(environment)
    if not cards:
        withdraw_cards(environment)
        return 0
    environment.update({CARDS: ",".join(cards), JOBS: str(jobs_per_card)})
    return len(cards) * jobs_per_card


def withdraw_cards(environment: MutableMapping[str, str]) -> None:
    """Stop offering GPUs, because a scheduler gives each job its own."""
    environment.pop(CARDS, None)
    environment.pop(JOBS, None)


def take_card(environment: MutableMapping[str, str], alone: bool = False) -> int:
    """Wait for a GPU and make it the only visible one until this process ends; return how many jobs may share it.

    With `alone`, no other job shares it. Without an offer, nothing changes and 1 is returned.
    """
    if CARDS not in environment:
        return 1
    cards, jobs = environment[CARDS].split(","), int(environment[JOBS])
    withdraw_cards(environment)  # child processes use the GPU of this process
    folder = leases_folder(environment)
    if alone:
        # Take the first place of a GPU before the others, so that two such jobs never wait for each other.
        card = wait_for_lease(folder, cards, range(1), f"the first place on one of {', '.join(cards)}")
        for place in range(1, jobs):
            wait_for_lease(folder, [card], range(place, place + 1), f"the other jobs on {card} to end")
    else:
        card = wait_for_lease(folder, cards, range(jobs), f"{jobs} job(s) run on each of {', '.join(cards)}")
    environment[VISIBLE] = card
    if card.isdigit():
        environment[ORDER] = "PCI_BUS_ID"  # as nvidia-smi counts, whatever was inherited
    print(f"GPU {card}", flush=True)
    return 1 if alone else jobs


def leases_folder(environment: MutableMapping[str, str]) -> Path:
    """The folder for all studies on a machine; a SLURM allocation has its own, as it may number GPUs from 0 again."""
    folder = Path(tempfile.gettempdir(), "-".join(["learnability-gpus", *environment.get("SLURM_JOB_ID", "").split()]))
    with contextlib.suppress(FileExistsError), open_to_others():
        folder.mkdir()
    return folder


@contextlib.contextmanager
def open_to_others() -> Iterator[None]:
    """Create files with their mode at once, whatever the umask: jobs of other users may look at any moment."""
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


def wait_for_lease(folder: Path, cards: list[str], places: range, reason: str) -> str:
    """Try until `lease` has a GPU; report once that this waits, and why."""
    waits = False
    while not (card := lease(folder, cards, places)):
        if not waits:
            print(f"waiting for a GPU: {reason}", flush=True)
        waits = True
        time.sleep(PATIENCE)
    return card


def lease(folder: Path, cards: list[str], places: range) -> str | None:
    """Lock a place on a GPU until this process ends; tries the first place of every GPU, then the second, and so on.

    Returns None if all are taken.
    """
    for place, card in itertools.product(places, cards):
        with open_to_others():
            name = folder / f"{card.replace('/', '_')}.{place}"
            file = os.open(name, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
        else:
            return card
    return None
