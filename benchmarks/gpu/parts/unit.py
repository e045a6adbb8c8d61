"""Unit tests that compute on a device, with this one; those that compare bytes may rightly fail on a GPU."""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ..setting import Figure, Setting

SECONDS = 75
ROOT = Path(__file__).parents[3]
PROCESSES = 4
NAMED = 25  # failures that are named


def figures(setting: Setting) -> Iterator[Figure]:
    tests = [ROOT / "tests" / "unit" / "test_batches.py"] if setting.tiny else on_a_device()
    beside = ["-n", str(PROCESSES)] if setting.cuda and importlib.util.find_spec("xdist") else []
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "--tb=line", "-p", "no:cacheprovider", *beside, *tests]
    environment = os.environ | {"LEARNABILITY_TEST_DEVICE": setting.device.type}
    output = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False).stdout
    yield Figure("all", "files", len(tests))
    yield Figure("all", "outcome", re.sub(r"=+", "", (output.strip().splitlines() or ["nothing"])[-1]).strip())
    for line in [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))][:NAMED]:
        test, _, why = line.partition(" - ")
        yield Figure(test.split("::")[-1], "outcome", f"{why[:150] or line.split()[0]}")


def on_a_device() -> list[Path]:
    """The files whose tests name the device by CPU, or train a study of tests/lights.py; tests/unit/conftest.py."""
    files = sorted((ROOT / "tests" / "unit").glob("test_*.py"))
    return [file for file in files if re.search(r"^CPU = |^from tests\.lights", file.read_text("utf-8"), re.MULTILINE)]
