"""What several tests share: a copy of the checkout, and Snakemake run in it."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.warm_snakemake import warm_snakemake

CHECKOUT = Path(__file__).parent.parent


@pytest.fixture(scope="session", autouse=True)
def control_c():
    """Make Ctrl-C work as in a terminal. A shell that runs tests in the background ignores it, in children too."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def run(*command: str, folder: Path = CHECKOUT, code: int | None = 0, **environment: str) -> str:
    """Run a command and return its output; the exit code must be `code` (None: any but 0)."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment_in(folder) | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return checked(done.stdout, done.returncode, code)


def environment_in(folder: Path) -> dict[str, str]:
    """Environment for a command that imports the package from the checkout in `folder`."""
    return os.environ | {"PYTHONPATH": str(folder / "workflow/src")}


def checked(output: str, returned: int, code: int | None) -> str:
    assert returned != 0 if code is None else returned == code, output[-8000:]
    return output


def snakemake(*arguments: str, folder: Path = CHECKOUT, code: int | None = 0, **environment: str) -> str:
    """As `run`, for Snakemake. Commands that start no job are forked from a process with Snakemake imported."""
    words = [str(argument) for argument in arguments]
    if not {"-n", "--dry-run"} & {*words}:
        return run(sys.executable, "-m", "snakemake", *words, folder=folder, code=code, **environment)
    returned, output = warm_snakemake(words, folder, environment_in(folder) | environment)
    return checked(output, returned, code)


def job_counts(output: str) -> dict[str, int]:
    """Count the jobs of a dry run by rule."""
    if "Nothing to be done" in output:
        return {}
    table = output.split("Job stats:")[1].split("total")[0]
    return {rule: int(count) for rule, count in re.findall(r"^(\S+)\s+(\d+)\s*$", table, flags=re.MULTILINE)}


def copy_checkout(destination: Path) -> Path:
    """Make a checkout like a clone: the files that git knows or would add, with new time stamps."""
    listed = run("git", "ls-files", "-co", "--exclude-standard").splitlines()
    for name in listed:
        source, target = CHECKOUT / name, destination / name
        if not source.exists():
            continue  # deleted, but not committed yet
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            target.symlink_to(os.readlink(source))
        else:
            shutil.copy(source, target)
    return destination


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the file that runs a whole study, which takes one of two test processes all its time."""
    items.sort(key=lambda item: item.path.name != "test_tiny_run.py")


@pytest.fixture(scope="session")
def checkout(tmp_path_factory) -> Path:
    """A fresh copy of the checkout; tests that edit files make their own."""
    return copy_checkout(tmp_path_factory.mktemp("checkout") / "learnability-gap")
