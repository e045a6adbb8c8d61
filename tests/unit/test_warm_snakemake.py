"""Jobs that start warm are forks of a process that has made their imports, and otherwise ordinary jobs."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from learnability.workflow import warm_snakemake
from tests.conftest import environment_in

# The whole list takes ten seconds; tests/runs has a study by it.
WARM = """
import sys
from learnability.workflow import warm_snakemake
warm_snakemake.IMPORTED = ("numpy.random", "decimal")
warm_snakemake.main(sys.argv[1:])
"""
SNAKEFILE = """
rule describe:
    output: "{name}.json"
    script: "describe.py"
rule threaded:
    output: "threaded.{name}.txt"
    threads: 2
    script: "describe.py"
rule fail:
    output: "fail.{how}"
    script: "fail.py"
rule fetch_weights:
    output: "fetched.txt"
    script: "fetch_weights.py"
rule work:
    output: "worked.txt"
    benchmark: "work.jsonl"
    script: "work.py"
rule wait:
    output: "waited.txt"
    script: "wait.py"
"""
DESCRIBE = """
import json, os, signal, sys, tempfile, threading
warm = "decimal" in sys.modules
import numpy
found = {
    "name": __name__, "file": __file__, "folder": os.getcwd(), "process group": os.getpgrp(),
    "path": [path for path in sys.path if "source-cache" not in path],  # of the run
    "arguments": [os.path.splitext(argument.rsplit(".", 2)[1])[0] for argument in sys.argv],
    "environment": {key: value for key, value in os.environ.items() if key not in ("_", "PWD")},  # bash sets them
    "signals": [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)],
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), "temporary": tempfile.gettempdir(),
    "streams": [sys.stdout.encoding, sys.stderr.errors, sys.stdout.line_buffering], "umask": os.umask(0o22),
    "threads": threading.active_count(), "open": sorted(os.listdir("/proc/self/fd")),
}
own = {"warm": warm, "parent": os.getppid(), "random": numpy.random.random()}
json.dump([found, own], open(snakemake.output[0], "w"))
"""
FAIL = """
import os, signal, sys
if snakemake.wildcards.how == "exit":
    sys.exit("this is wrong")
if snakemake.wildcards.how == "object":
    sys.exit(Exception("this is no text"))
if snakemake.wildcards.how == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
open(snakemake.output[0], "w").write("made")
if snakemake.wildcards.how == "closed":
    sys.stdout.close()
raise ValueError("this is broken")
"""
WORK = """
import time
block = b"x" * 60_000_000
while time.process_time() < 1.2:
    sum(range(10_000))
time.sleep(2)
open(snakemake.output[0], "w").write(str(time.process_time()))
"""
WAIT = """
import os, sys, time
with open("writing", "w") as file:
    file.write(f"{os.getpid()} {int('decimal' in sys.modules)}")
os.rename("writing", "waiting")  # Python loses an interrupt that comes while it lets go of a file
time.sleep(60)
"""
SCRIPTS = {"describe": DESCRIBE, "fail": FAIL, "fetch_weights": DESCRIBE, "work": WORK, "wait": WAIT}


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    for name, text in SCRIPTS.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def start(folder: Path, *targets: str, warm: bool = True) -> subprocess.Popen:
    command = [sys.executable, *(("-c", WARM) if warm else ("-m", "snakemake")), "--cores", "2", *targets]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=folder, env=environment_in(Path.cwd()), start_new_session=True, **pipes)


def run(folder: Path, *targets: str, warm: bool = True, code: int = 0) -> tuple[str, int]:
    """What Snakemake printed, and its process id."""
    head = start(folder, *targets, warm=warm)
    output, _ = head.communicate(timeout=100)
    assert head.returncode == code, output
    return output, head.pid


def described(path: Path) -> list[dict]:
    found, own = json.loads(path.read_text())
    found.pop("process group", None)
    return [found, own]


def test_a_job_is_what_it_is_in_a_process_of_its_own_but_warm(folder):
    _, head = run(folder, "one.json", "two.json")
    group = json.loads((folder / "one.json").read_text())[0]["process group"]
    (one, own), (two, other) = (described(folder / name) for name in ("one.json", "two.json"))
    run(folder, "cold.json", warm=False)
    cold, fresh = described(folder / "cold.json")
    assert one == two == cold
    assert own["warm"]
    assert not fresh["warm"]
    assert (own["parent"], other["parent"], group) == (head, head, head)
    assert own["random"] != other["random"]


def test_what_has_threads_or_is_online_starts_as_ever(folder):
    run(folder, "threaded.a.txt", "fetched.txt", "one.json")
    warm = {name: described(folder / name)[1]["warm"] for name in ("threaded.a.txt", "fetched.txt", "one.json")}
    assert warm == {"threaded.a.txt": False, "fetched.txt": False, "one.json": True}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("exit", "this is wrong"),
        ("object", "this is no text"),
        ("error", "ValueError: this is broken"),
        ("closed", "ValueError: this is broken"),
        ("killed", "SIGKILL"),
    ],
)
def test_a_script_that_fails_fails_its_job_with_its_message(folder, how, said):
    output, _ = run(folder, f"fail.{how}", code=1)
    assert said in output
    assert "Error in rule fail" in output
    assert not (folder / f"fail.{how}").exists()


def test_the_benchmark_is_of_the_job(folder):
    run(folder, "worked.txt")
    (record,) = [json.loads(line) for line in (folder / "work.jsonl").read_text().splitlines()]
    assert 1.15 <= record["cpu_time"] <= float((folder / "worked.txt").read_text()) + 0.05  # counted in ticks
    assert record["s"] >= 3.2
    assert 57 < record["max_uss"] < 87  # the block's 57 MB, and what a fork copies; not the server's
    assert record["max_uss"] < record["max_rss"]


@pytest.mark.parametrize("which", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_the_head(folder, which):
    head = start(folder, "waited.txt")
    while not (folder / "waiting").exists() or not (folder / "waiting").read_text():
        assert head.poll() is None, head.stdout.read()
        time.sleep(0.05)
    job, warm = map(int, (folder / "waiting").read_text().split())
    assert warm
    (server,) = [process for process in psutil.Process(head.pid).children() if process.pid != job]
    processes = [psutil.Process(job), server]
    (os.killpg if which == signal.SIGINT else os.kill)(head.pid, which)  # a terminal sends Ctrl-C to all
    head.communicate(timeout=50)
    assert not psutil.wait_procs(processes, timeout=10)[1]
    assert not (folder / "waited.txt").exists()


def test_without_the_server_jobs_start_as_ever(folder):
    """If the server is ended, for example by the kernel when memory is short, the study goes on."""
    head = start(folder, "one.json")
    while not (children := psutil.Process(head.pid).children()):
        time.sleep(0.01)
    children[0].kill()
    output, _ = head.communicate(timeout=100)
    assert head.returncode == 0, output
    assert not described(folder / "one.json")[1]["warm"]


@pytest.mark.parametrize(
    ("library", "said"),
    [
        (
            "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
            "a library has started a thread",
        ),
        (
            "import sys; from types import SimpleNamespace as Made\n"
            "sys.modules['torch'] = Made(cuda=Made(is_available=lambda: True))",
            "PyTorch sees a GPU that nvidia-smi does not list",
        ),
    ],
    ids=["thread", "gpu"],
)
def test_what_a_fork_would_not_have_is_noticed(folder, library, said):
    (folder / "such_library.py").write_text(library)
    code = WARM.replace('"decimal"', '"decimal", "such_library"')
    command = [sys.executable, "-c", code, "--cores", "1", "one.json"]
    environment = environment_in(Path.cwd())
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert said in done.stderr
    assert not described(folder / "one.json")[1]["warm"]


def test_ctrl_c_while_the_server_imports_starts_nothing(folder):
    (folder / "slow_library.py").write_text("import time; open('importing', 'w'); time.sleep(20)")
    command = [sys.executable, "-c", WARM.replace('"decimal"', '"decimal", "slow_library"'), "--cores", "1", "one.json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    head = subprocess.Popen(command, cwd=folder, env=environment_in(Path.cwd()), start_new_session=True, **pipes)
    logged = ""
    while "rule describe" not in logged:  # the job waits for the server now
        logged += head.stdout.readline()
    time.sleep(1)
    stopped = time.monotonic()
    os.killpg(head.pid, signal.SIGINT)
    head.communicate(timeout=100)
    assert time.monotonic() - stopped < 15
    assert head.returncode != 0
    assert not (folder / "one.json").exists()


def test_where_no_process_can_be_forked_jobs_start_as_ever(folder):
    refusing = """
import os
fork, forks = os.fork, []
def refuse():
    forks.append(1)
    if len(forks) == 3:  # the server, between, the job
        raise BlockingIOError("no more processes")
    return fork()
os.fork = refuse
"""
    command = [sys.executable, "-c", refusing + WARM, "--cores", "1", "one.json"]
    environment = environment_in(Path.cwd())
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not described(folder / "one.json")[1]["warm"]


@pytest.mark.parametrize("option", ["-n", "-nq", "--dryrun", "--dry-run", "--lint", "--list-rules"])
def test_what_runs_no_job_needs_no_server(option):
    assert warm_snakemake.NO_JOBS.fullmatch(option)
    assert not any(map(warm_snakemake.NO_JOBS.fullmatch, ["--cores", "-c1", "-k", "one.json", "--configfile", "n"]))
