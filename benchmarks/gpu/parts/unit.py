"""Unit tests that compute on a device, with this one; those that compare bytes may rightly fail on a GPU."""

import contextlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ..setting import Figure, Setting

SECONDS = 75
FEW = ("test_batches.py", "test_bfloat16.py")  # of a tiny run
ROOT = Path(__file__).parents[3]
PROCESSES = 4
TO_SUM_UP = 10  # seconds that pytest has to end when it is interrupted
NAMED = 40  # failures that are named
OUTCOME = "(PASSED|FAILED|ERROR|SKIPPED)"
# With several processes the outcome comes first, as in the summary, which says why.
LINE = re.compile(rf"(?:{OUTCOME} )?(tests/unit/\S+?\.py(?:::.+?)?)(?: {OUTCOME}.*| - (.*))?\s*$")
PLACE = re.compile(r"(workflow/src/\S+\.py:\d+): (.*)$", re.MULTILINE)  # of a failure, in code that is not a test's


def figures(setting: Setting) -> Iterator[Figure]:
    tests = [ROOT / "tests" / "unit" / name for name in FEW] if setting.tiny else on_a_device()
    output, ended = run(setting, tests)
    outcomes, reasons = read(output)
    yield Figure("all", "came to their end", str(ended))
    for outcome, number in Counter(outcomes.values()).items():
        yield Figure("all", outcome.lower(), number)
    for (place, why), number in Counter(PLACE.findall(output)).most_common(NAMED):
        yield Figure(place.removeprefix("workflow/src/"), "failures that end there", number)
        yield Figure(place.removeprefix("workflow/src/"), "why", why[:150])
    if not outcomes:
        yield Figure("all", "said", output[-300:].replace("\n", " "))
    for test in [test for test, outcome in outcomes.items() if outcome in ("FAILED", "ERROR")][:NAMED]:
        yield Figure(test.removeprefix("tests/unit/"), "why", reasons.get(test, "no summary")[:150])


def run(setting: Setting, tests: list[Path]) -> tuple[str, bool]:
    """What pytest printed, and whether it came to its end in the time of this part."""
    beside = ["-n", str(PROCESSES)] if setting.cuda and importlib.util.find_spec("xdist") else []
    # A file that lacks a package costs its own tests alone.
    options = ["-v", "-rfE", "--tb=line", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    command = [sys.executable, "-m", "pytest", *options, *beside, *tests]
    environment = os.environ | {"LEARNABILITY_TEST_DEVICE": setting.device.type, "COLUMNS": "300"}
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            process.wait(max(1.0, setting.seconds - TO_SUM_UP - 5))
            ended = True
        except subprocess.TimeoutExpired:
            ended = False
            process.send_signal(signal.SIGINT)  # it then says why those failed that ran
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(TO_SUM_UP)
            process.kill()
        log.seek(0)
        return log.read(), ended


def read(output: str) -> tuple[dict[str, str], dict[str, str]]:
    """The outcome of every test of a log, and why those of the summary failed."""
    outcomes, reasons = {}, {}
    for found in filter(None, map(LINE.search, output.splitlines())):
        before, test, after, why = found.groups()
        if outcome := before or after:
            outcomes[test] = outcome
        if why:
            reasons[test] = why
    return outcomes, reasons


def on_a_device() -> list[Path]:
    """The files whose tests name the device by CPU, or train a study of tests/lights.py; tests/unit/conftest.py."""
    files = sorted((ROOT / "tests" / "unit").glob("test_*.py"))
    return [file for file in files if re.search(r"^CPU = |^from tests\.lights", file.read_text("utf-8"), re.MULTILINE)]
