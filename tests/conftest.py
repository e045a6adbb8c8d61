"""What several tests share: a copy of the checkout, and Snakemake run in it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent


def run(*command: str, folder: Path = CHECKOUT, code: int | None = 0, **environment: str) -> str:
    """Run a command and return what it printed; its exit code must be `code` (None: any but 0)."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "workflow/src")} | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode != 0 if code is None else done.returncode == code, done.stdout[-8000:]
    return done.stdout


def snakemake(*arguments: str, **options) -> str:
    return run(sys.executable, "-m", "snakemake", *arguments, **options)


def job_counts(output: str) -> dict[str, int]:
    """The jobs per rule of a dry run."""
    if "Nothing to be done" in output:
        return {}
    table = output.split("Job stats:")[1].split("total")[0]
    return {rule: int(count) for rule, count in re.findall(r"^(\S+)\s+(\d+)\s*$", table, flags=re.MULTILINE)}


def copy_checkout(destination: Path) -> Path:
    """A checkout as a clone would give it: the files git knows or would take, with new time stamps."""
    listed = run("git", "ls-files", "-co", "--exclude-standard").splitlines()
    for name in listed:
        source, target = CHECKOUT / name, destination / name
        if not source.exists():
            continue  # deleted, not committed yet
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            target.symlink_to(os.readlink(source))
        else:
            shutil.copy(source, target)
    return destination


@pytest.fixture(scope="session")
def checkout(tmp_path_factory) -> Path:
    """A fresh copy of the checkout; tests that edit files make their own."""
    return copy_checkout(tmp_path_factory.mktemp("checkout") / "learnability-gap")
