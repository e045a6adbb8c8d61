"""`make bench`: every ratio that this project sets itself as a goal, in one table.

    python benchmarks/bench.py [part ...]

Each part is measured in its own process, so that none inherits the memory or threads of another. Progress goes to the
terminal and the table to the output. The parts are modules of this folder; some print more when run alone.
"""

import argparse
import contextlib
import importlib
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch
from ratio import Ratio, as_markdown, machine

PARTS = ["feed", "epoch", "encode_overhead", "dry_run", "job_start", "memory"]


def measured(part: str) -> list[Ratio]:
    """The ratios of a part, with one thread, like the study's jobs."""
    torch.set_num_threads(1)
    with contextlib.redirect_stdout(sys.stderr):
        return importlib.import_module(part).ratios()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"some of {', '.join(PARTS)}; by default all")
    parts = parser.parse_args().parts or PARTS
    if unknown := sorted(set(parts) - set(PARTS)):
        parser.error(f"no part {unknown[0]}; there are {', '.join(PARTS)}")
    on, found = machine(), []
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        for part in parts:
            print(f"{part} ...", file=sys.stderr, flush=True)
            found += processes.submit(measured, part).result()
    print(f"{on}\n\n{as_markdown(found)}")


if __name__ == "__main__":
    main()
