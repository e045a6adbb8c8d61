"""The cost of starting a training's job: its own process, compared with a fork of one with all imports done.

    python benchmarks/job_start.py [--repeats 5]

It covers the imports of train_classifier, and a network and an optimiser, which import more. Figures are medians of CPU
seconds. A study that starts its jobs as forks (docs/run.md) pays for these imports once.
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "workflow" / "src"))

from ratio import Ratio, as_markdown

from learnability.workflow.warm_snakemake import warm_up

STARTS = """
from learnability.training.engine import train_classifier
import pandas, pyarrow.parquet, timm, torch
network = timm.create_model("resnet10t")
torch.optim.Adam(network.parameters(), fused=True).zero_grad()
"""


def seconds_of_child(be: Callable[[], None]) -> float:
    """CPU seconds of a fork of this process that is `be` and ends."""
    if (child := os.fork()) == 0:
        be()
        os._exit(0)
    usage = os.wait4(child, 0)[2]
    return usage.ru_utime + usage.ru_stime


def in_a_fork() -> None:
    """Start as in a fork, which already has the jobs' imports, but not the package itself."""
    exec(STARTS, {})


def in_a_process_of_its_own() -> None:
    os.environ["PYTHONPATH"] = sys.path[0]
    os.execv(sys.executable, [sys.executable, "-c", STARTS])


def forks(repeats: int) -> None:
    """Print the CPU seconds of starting in a fork of this process, which does nothing else."""
    warm_up()
    print(statistics.median(seconds_of_child(in_a_fork) for _ in range(repeats)))


def ratios(repeats: int = 5) -> list[Ratio]:
    own = statistics.median(seconds_of_child(in_a_process_of_its_own) for _ in range(repeats))
    command = [sys.executable, __file__, "--forks", "--repeats", str(repeats)]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}  # a fork has only its own thread
    fork = float(subprocess.run(command, check=True, capture_output=True, text=True, env=one_thread).stdout)
    return [Ratio("start of a training's job", "start as a fork", own / fork, "", f"{own:.2f} and {fork:.2f} CPU-s")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--forks", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.forks:
        forks(chosen.repeats)
    else:
        print(as_markdown(ratios(chosen.repeats)))


if __name__ == "__main__":
    main()
