"""Snakemake without its start-up: a process that has imported it forks a child for every command.

Importing takes longer than planning a small study. Nothing of this project is imported before the fork, so the child
reads package and Snakefile of the checkout under test, as a new process would.
"""

import atexit
import functools
import gc
import json
import os
import subprocess
import sys
import tempfile
from importlib import import_module, util
from pathlib import Path

# Modules that a dry run of this workflow imports, through snakemake.cli or later.
IMPORTED = (
    "snakemake.cli", "snakemake.profiles", "snakemake.report.html_reporter", "snakemake_logger_plugin_rich", "jinja2",
    "jsonschema", "nbformat", "pandas", "pyarrow.parquet", "requests", "smart_open", "yaml",
)  # fmt: skip


def warm_snakemake(arguments: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Exit code and output of `python -m snakemake` with these arguments in this folder and environment."""
    with tempfile.TemporaryDirectory() as place:
        output = Path(place) / "output"
        request = {"arguments": arguments, "folder": str(folder), "environment": environment, "output": str(output)}
        process = server()
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        assert answer, "the process that has imported Snakemake is gone"
        return int(answer), output.read_text()


@functools.cache
def server() -> subprocess.Popen:
    """Start the process, one for a session of tests; it ends when its input does."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, __file__], env=environment, **pipes)
    atexit.register(process.communicate)  # closes its input
    return process


def serve() -> dict:
    """Answer every request with the exit code of the child that runs it; only in the child, return the request."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            return json.loads(line)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    sys.exit()


def become(request: dict) -> None:
    """Become the process that `python -m snakemake` would start: its folder, environment, path and output."""
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    path = os.environ.get("PYTHONPATH", "")
    sys.path[:1] = [request["folder"], *filter(None, path.split(os.pathsep))]  # instead of this file's folder
    sys.argv = [util.find_spec("snakemake.__main__").origin, *request["arguments"]]


if __name__ == "__main__":
    for name in IMPORTED:
        import_module(name)
    gc.freeze()  # otherwise every child's garbage collector walks all of it again
    become(serve())
    import_module("snakemake.cli").main()
