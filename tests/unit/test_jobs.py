"""What surrounds the one call of a script: all output goes to the log, with one message for what a user can mend."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "workflow/src"


def run_job(folder, body, expected_code):
    """Run a script whose job does `body`; return what came to the terminal and the log."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    code = "import errno, os, sys\nfrom learnability.errors import InputError\n"
    code += "from learnability.workflow.jobs import job\n"
    code += f"with job('logs/rule/job.log'):\n{lines}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expected_code, done.stderr
    return done.stdout, done.stderr, (folder / "logs/rule/job.log").read_text(encoding="utf-8")


def test_all_output_goes_to_the_log(tmp_path):
    body = (
        "print('printed – ü')\n"
        "print('to stderr', file=sys.stderr)\n"
        "sys.stdout.flush()\n"
        "os.write(1, b'from C to 1\\n')\n"
        "os.write(2, b'from C to 2\\n')\n"
        "os.system('echo from a child')"
    )
    out, err, log = run_job(tmp_path, body, 0)
    assert (out, err) == ("", "")
    lines = log.splitlines()
    assert sorted(lines) == sorted(["printed – ü", "to stderr", "from C to 1", "from C to 2", "from a child"])


def test_a_bad_input_is_one_message_on_the_terminal_and_in_the_log(tmp_path):
    out, err, log = run_job(tmp_path, "print('at work')\nraise InputError('labels.csv: no column; name one')", 1)
    assert out == ""
    assert err.strip() == "Error: labels.csv: no column; name one"
    assert sorted(log.splitlines()) == ["Error: labels.csv: no column; name one", "at work"]


def test_a_full_disk_is_one_message_and_the_trace_stays_in_the_log(tmp_path):
    body = "raise OSError(errno.ENOSPC, 'images.npy could not be written: No space left on device')"
    _, err, log = run_job(tmp_path, body, 1)
    assert err.strip() == "Error: [Errno 28] images.npy could not be written: No space left on device"
    assert "Traceback" in log
    assert "images.npy" in log


def test_a_full_disk_that_no_writer_named_has_the_log_and_what_to_do_first(tmp_path):
    _, err, log = run_job(tmp_path, "raise OSError(errno.ENOSPC, 'No space left on device')", 1)
    expected = (
        "Error: [Errno 28] logs/rule/job.log, or another file of this job, could not be written: No space left on "
        "device; the disk is full: free some space there, and run again"
    )
    assert err.strip() == log.splitlines()[0] == expected


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_the_message_comes_through_when_the_disk_is_too_full_for_the_log(tmp_path):
    body = "full = os.open('/dev/full', os.O_WRONLY)\nos.dup2(full, 1)\nos.dup2(full, 2)\nraise InputError('mend this')"
    _, err, _ = run_job(tmp_path, body, 1)
    assert err.strip() == "Error: mend this"


def test_a_defect_leaves_its_traceback_in_the_log(tmp_path):
    out, err, log = run_job(tmp_path, "print('at work')\n{}['recipe']", 1)
    assert "at work" in log
    assert "Traceback (most recent call last)" in log
    assert "KeyError: 'recipe'" in log
    assert (out, err) == ("", "")


def test_the_log_of_an_earlier_attempt_is_replaced(tmp_path):
    (tmp_path / "logs/rule").mkdir(parents=True)
    (tmp_path / "logs/rule/job.log").write_text("of the first attempt\n" * 9)
    assert run_job(tmp_path, "print('second')", 0)[2] == "second\n"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is another")
def test_memory_that_a_batch_freed_is_not_cleared_again_for_the_next(tmp_path):
    """Four arrays of 16 MB a batch: their pages, 16,384 of 4 kB, are new to the first batch alone."""
    body = (
        "import resource, numpy as np\n"
        "def batch():\n"
        "    return len([np.ones(2**24, np.uint8) for _ in range(4)])\n"
        "batch()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "[batch() for _ in range(5)]\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)"
    )
    _, _, log = run_job(tmp_path, body, 0)
    assert int(log) < 1000
