"""How much of the host's memory a job may still take, from the files of both versions of control groups."""

from pathlib import Path

import psutil
import pytest
import torch

from learnability.storage.batches import free_memory
from learnability.storage.memory_limits import left_in_groups, left_of_request

GIB = 2**30
UNLIMITED = 9223372036854771712  # as version 1 writes it
# What /proc/self/cgroup says in a job of SLURM.
VERSION_2 = "0::/system.slice/slurmstepd.scope/job_7/step_0/user/task_0\n"
VERSION_1 = (
    "11:devices:/slurm/uid_1000/job_7/step_0\n"
    "9:memory:/slurm/uid_1000/job_7/step_0\n"
    "4:cpu,cpuacct:/slurm/uid_1000/job_7/step_0\n"
    "1:name=systemd:/system.slice/slurmd.service\n"
)
HYBRID = VERSION_1 + "0::/system.slice/slurmd.service\n"


def write_group(folder: Path, limit: int | str, used: int, cached: int, version: int) -> None:
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    limit_file, used_file, key = names if version == 1 else ("memory.max", "memory.current", "inactive_file")
    folder.mkdir(parents=True)
    (folder / limit_file).write_text(f"{limit}\n")
    (folder / used_file).write_text(f"{used}\n")
    # In version 1 `inactive_file` is that of the group alone, without the groups below it.
    own = "inactive_file 1\n" if version == 1 else ""
    (folder / "memory.stat").write_text(f"anon 5\n{own}{key} {cached}\nactive_file 77\n")


@pytest.mark.parametrize("membership", [VERSION_1, HYBRID], ids=["version 1", "hybrid"])
def test_a_limit_of_version_1_is_that_of_the_job_above_the_step(tmp_path, membership):
    job = tmp_path / "memory/slurm/uid_1000/job_7"
    write_group(job, 8 * GIB, 3 * GIB, GIB, 1)
    write_group(job / "step_0", UNLIMITED, 2 * GIB, GIB, 1)
    write_group(tmp_path / "memory/slurm/uid_1000/job_8", GIB, GIB, 0, 1)  # not ours
    write_group(tmp_path / "devices/slurm/uid_1000/job_7/step_0", GIB, GIB, 0, 1)
    assert min(left_in_groups(membership, tmp_path)) == 6 * GIB  # 8 - (3 - 1): the cache is given back


def test_a_limit_of_version_2_is_that_of_the_job_above_the_task(tmp_path):
    job = tmp_path / "system.slice/slurmstepd.scope/job_7"
    write_group(job, 8 * GIB, 3 * GIB, GIB, 2)
    write_group(job / "step_0", "max", 2 * GIB, GIB, 2)
    assert list(left_in_groups(VERSION_2, tmp_path)) == [6 * GIB]


def test_a_container_sees_its_own_group_at_the_top(tmp_path):
    write_group(tmp_path / "memory", 4 * GIB, GIB, 0, 1)
    assert list(left_in_groups("4:hugetlb,memory:/docker/0123\n", tmp_path)) == [3 * GIB]


def test_a_group_without_statistics_has_no_cache_to_give_back(tmp_path):
    write_group(tmp_path / "job", 4 * GIB, GIB, GIB, 2)
    (tmp_path / "job/memory.stat").unlink()
    assert list(left_in_groups("0::/job\n", tmp_path)) == [3 * GIB]


def test_without_a_limit_nothing_is_said(tmp_path):
    assert list(left_in_groups("", tmp_path)) == []
    assert list(left_in_groups(HYBRID + VERSION_2, tmp_path)) == []


def test_the_memory_that_slurm_was_asked_for_is_a_limit_in_mebibytes():
    resident = psutil.Process().memory_info().rss
    (left,) = left_of_request({"SLURM_MEM_PER_NODE": "4096"})
    assert left == pytest.approx(4 * GIB - resident, abs=2**26)
    assert list(left_of_request({"SLURM_MEM_PER_NODE": "0"})) == []
    assert list(left_of_request({})) == []


def test_free_memory_is_the_least_of_them(monkeypatch):
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "1")  # less than this process has already
    assert free_memory(torch.device("cpu")) < 0
