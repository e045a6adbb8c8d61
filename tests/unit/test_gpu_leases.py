"""Leases of GPUs with made-up ids: which cards there are, who gets which, and what a killed job gives back."""

import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from learnability.errors import InputError
from learnability.storage.batches import free_memory
from learnability.workflow import jobs as jobs_of_rules
from learnability.workflow.gpu_leases import find_cards, offer_cards, take_card, withdraw_cards
from learnability.workflow.jobs import choose_device

SOURCE = Path(__file__).parents[2] / "workflow/src"
# A job: it takes its card, says which, and works until it is killed.
JOB = """
import os, time
from learnability.workflow.gpu_leases import take_card
take_card(os.environ, alone="ALONE" in os.environ)
print("has", os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
time.sleep(120)
"""


class Jobs:
    """Jobs that hold their cards in the background, each in a study of its own folder; all share the leases."""

    def __init__(self, place: Path):
        self.place, self.started = place, []

    def start(self, cards: str, jobs_per_card: int, **more: str) -> int:
        environment = {name: value for name, value in os.environ.items() if name != "SLURM_JOB_ID"}
        environment |= {"TMPDIR": str(self.place), "PYTHONPATH": str(SOURCE), "CUDA_VISIBLE_DEVICES": cards} | more
        offer_cards(environment, jobs_per_card)
        study = self.place / f"study{len(self.started)}"
        study.mkdir()
        with open(study / "log", "w") as log:
            self.started.append(
                subprocess.Popen([sys.executable, "-c", JOB], cwd=study, env=environment, stdout=log, stderr=log)
            )
        return len(self.started) - 1

    def said(self, job: int) -> str:
        return (self.place / f"study{job}/log").read_text()

    def card(self, job: int, seconds: float = 60) -> str:
        """The card of a job, waited for."""
        end = time.monotonic() + seconds
        while not (found := re.search(r"^has (\S+)", self.said(job), flags=re.MULTILINE)):
            assert time.monotonic() < end, self.said(job)
            time.sleep(0.05)
        return found[1]

    def waits(self, job: int) -> bool:
        """Whether a job says that it waits, and still has no card 2 s later."""
        end = time.monotonic() + 60
        while "waiting for a GPU" not in self.said(job):
            assert time.monotonic() < end, self.said(job)
            time.sleep(0.05)
        time.sleep(2)
        return "has" not in self.said(job)

    def kill(self, job: int) -> None:
        self.started[job].send_signal(signal.SIGKILL)
        self.started[job].wait()


@pytest.fixture
def jobs(tmp_path):
    jobs = Jobs(tmp_path)
    yield jobs
    for process in jobs.started:
        process.kill()
        process.wait()


WHOLE = ["GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aa)", "GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bb)"]
DIVIDED = [
    "  MIG 3g.20gb     Device  0: (UUID: MIG-cc)",
    "  MIG 1c.3g.20gb  Device  1: (UUID: MIG-GPU-aa/2/0)",  # as drivers before 470 name it
]


@pytest.fixture
def smi(tmp_path, monkeypatch):
    """Make up an nvidia-smi that lists these lines."""

    def lists(lines: list[str]) -> None:
        program = tmp_path / "nvidia-smi"
        program.write_text("\n".join(["#!/bin/sh", '[ "$*" = -L ] || exit 2', "cat <<END", *lines, "END", ""]))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    return lists


def test_a_card_that_a_killed_job_had_goes_to_the_one_that_waits(jobs):
    first, second = jobs.start("made-up-a,made-up-b", 1), jobs.start("made-up-a,made-up-b", 1)
    assert {jobs.card(first), jobs.card(second)} == {"made-up-a", "made-up-b"}
    third = jobs.start("made-up-a,made-up-b", 1)
    assert jobs.waits(third)
    jobs.kill(second)
    assert jobs.card(third) == jobs.card(second)


def test_a_card_has_as_many_jobs_as_was_said_and_idle_cards_come_first(jobs):
    several = [jobs.start("made-up-a,made-up-b", 2)]
    jobs.card(several[0])
    several.append(jobs.start("made-up-a,made-up-b", 2))
    assert {jobs.card(job) for job in several} == {"made-up-a", "made-up-b"}
    several += [jobs.start("made-up-a,made-up-b", 2), jobs.start("made-up-a,made-up-b", 2)]
    assert sorted(map(jobs.card, several)) == ["made-up-a", "made-up-a", "made-up-b", "made-up-b"]
    assert jobs.waits(jobs.start("made-up-a,made-up-b", 2))


def test_a_job_that_is_alone_waits_for_the_others_of_a_card_and_keeps_them_out(jobs):
    shared = [jobs.start("made-up-a", 2), jobs.start("made-up-a", 2)]
    assert [jobs.card(job) for job in shared] == ["made-up-a", "made-up-a"]
    first = jobs.start("made-up-a", 2, ALONE="yes")
    assert jobs.waits(first)
    jobs.kill(shared[0])
    jobs.kill(shared[1])
    assert jobs.card(first) == "made-up-a"
    further = [jobs.start("made-up-a", 2), jobs.start("made-up-a", 2, ALONE="yes")]
    assert [jobs.waits(job) for job in further] == [True, True]
    jobs.kill(first)
    jobs.kill(further[0])
    assert jobs.card(further[1]) == "made-up-a"


def test_an_allocation_of_slurm_has_leases_of_its_own(jobs):
    """Each allocation may count its cards from 0."""
    outside, inside = jobs.start("0", 1), jobs.start("0", 1, SLURM_JOB_ID="17")
    assert (jobs.card(outside), jobs.card(inside)) == ("0", "0")
    assert jobs.waits(jobs.start("0", 1, SLURM_JOB_ID="17"))


def test_without_an_offer_nothing_changes():
    given = {"CUDA_VISIBLE_DEVICES": "2,3", "SLURM_JOB_GPUS": "2,3"}
    environment = dict(given)
    assert take_card(environment) == 1
    assert environment == given


@pytest.mark.parametrize(("jobs_per_card", "alone", "parts"), [(1, False, []), (4, False, [0.25]), (4, True, [])])
def test_a_script_has_its_card_before_cuda_starts_and_its_part_of_the_memory(
    tmp_path, monkeypatch, jobs_per_card, alone, parts
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(os, "environ", {"CUDA_VISIBLE_DEVICES": "5,6", "CUDA_DEVICE_ORDER": "FASTEST_FIRST"})
    seen, set_parts = [], []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: seen.append(dict(os.environ)) or True)
    monkeypatch.setattr(jobs_of_rules, "has_kernels", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", set_parts.append)
    assert offer_cards(os.environ, jobs_per_card) == 2 * jobs_per_card
    assert choose_device(1, alone) == torch.device("cuda")
    assert seen == [{"CUDA_VISIBLE_DEVICES": "5", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}]
    assert set_parts == parts


def test_what_other_users_must_open_is_never_closed_to_them(tmp_path, monkeypatch):
    """The modes are read when each file and folder is made, as a job of another user would see them."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    seen = {}

    def watched(make):
        def made(path, *arguments, **named):
            result = make(path, *arguments, **named)
            seen[Path(path).name] = stat.S_IMODE(os.stat(path).st_mode)
            return result

        return made

    monkeypatch.setattr(os, "mkdir", watched(os.mkdir))
    monkeypatch.setattr(os, "open", watched(os.open))
    before = os.umask(0o077)
    try:
        take_card({"LEARNABILITY_CARDS": "5", "LEARNABILITY_JOBS_PER_CARD": "1"})
    finally:
        assert os.umask(before) == 0o077
    assert seen == {"learnability-gpus": 0o777, "5.0": 0o644}


@pytest.mark.parametrize(
    ("given", "cards"),
    [
        ({}, ["0", "1"]),
        ({"CUDA_VISIBLE_DEVICES": ""}, []),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, []),
        ({"CUDA_VISIBLE_DEVICES": "3, 1"}, ["3", "1"]),
        ({"CUDA_VISIBLE_DEVICES": "1,-1,0"}, ["1"]),  # CUDA reads no further
        ({"CUDA_VISIBLE_DEVICES": "GPU-bb"}, ["1"]),  # one name in every study
        ({"CUDA_VISIBLE_DEVICES": "GPU-b,0"}, ["1", "0"]),  # CUDA allows shortened names
        ({"CUDA_VISIBLE_DEVICES": "GPU-"}, ["GPU-"]),  # of both
        ({"CUDA_VISIBLE_DEVICES": "MIG-cc"}, ["MIG-cc"]),
    ],
)
def test_the_cards_are_the_visible_ones_by_number(smi, given, cards):
    smi(WHOLE)
    assert find_cards(given) == cards


@pytest.mark.parametrize(
    ("given", "cards"),
    [
        ({}, ["MIG-cc", "MIG-GPU-aa/2/0", "1"]),
        ({"CUDA_VISIBLE_DEVICES": "MIG-c,1"}, ["MIG-cc", "1"]),
        ({"CUDA_VISIBLE_DEVICES": "GPU-aa"}, ["MIG-cc", "MIG-GPU-aa/2/0"]),
        ({"CUDA_VISIBLE_DEVICES": "1,0"}, ["1", "MIG-cc", "MIG-GPU-aa/2/0"]),
    ],
)
def test_the_instances_of_a_divided_card_are_cards_of_their_own(smi, given, cards):
    smi([WHOLE[0], *DIVIDED, WHOLE[1]])
    assert find_cards(given) == cards


@pytest.mark.parametrize("program", [None, *(f"#!/bin/sh\necho No devices were found\nexit {n}\n" for n in (0, 6))])
def test_a_machine_without_a_card_offers_none(tmp_path, monkeypatch, program):
    monkeypatch.setenv("PATH", str(tmp_path))
    if program:
        (tmp_path / "nvidia-smi").write_text(program)
        (tmp_path / "nvidia-smi").chmod(0o755)
    environment = {"LEARNABILITY_CARDS": "0", "LEARNABILITY_JOBS_PER_CARD": "1"}  # of a run around this one
    assert offer_cards(environment, 2) == 0
    assert environment == {}


def test_cards_that_are_withdrawn_are_not_taken():
    environment = {"CUDA_VISIBLE_DEVICES": "5"}
    offer_cards(environment, 1)
    withdraw_cards(environment)
    assert environment == {"CUDA_VISIBLE_DEVICES": "5"}


def test_no_job_on_a_card_is_refused():
    with pytest.raises(InputError, match="jobs_per_gpu is 0; give"):
        offer_cards({"CUDA_VISIBLE_DEVICES": "5"}, 0)


@pytest.mark.parametrize(
    ("fraction", "free", "left"), [(1.0, 70, 70), (0.5, 70, 35), (0.5, 20, 20)], ids=["alone", "shared", "full"]
)
def test_data_get_no_more_of_a_card_than_the_share_of_their_job(monkeypatch, fraction, free, left):
    """The card has 80 bytes, 5 of which this process holds."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 80))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 5)
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", lambda device: fraction)
    assert free_memory(torch.device("cuda")) == left
