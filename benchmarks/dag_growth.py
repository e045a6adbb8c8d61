"""How the head process grows with the study: seconds and memory of a dry run, from some 300 jobs to 3,000.

    python benchmarks/dag_growth.py [--datasets 1 5 10 20 48] [--repeats 3]

Table 1 of the demo's autoencoders on that many copies of one phantom, in the five folds of the published study: 60 jobs
a data set. Nothing is run, so neither data nor weights are needed; a run holds the same graph. Prints the median of the
repetitions, and each figure over that of the first size.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).parent.parent


def write_study(path: Path, datasets: int) -> None:
    """The demo with that many copies of its first phantom, all five folds."""
    demo = yaml.safe_load((CHECKOUT / "workflow/studies/demo.yaml").read_text())
    phantom = next(iter(demo["datasets"].values()))
    copies = {f"phantom{i}": phantom | {"seed": i} for i in range(datasets)}
    study = {"datasets": list(copies), "folds": [0, 1, 2, 3, 4], "limited_to": {}, "efficiency": None}
    path.write_text(yaml.safe_dump({"results": str(path.parent / "results"), "study": study, "datasets": copies}))


def dry_run(study: Path) -> tuple[int, float, float]:
    """Jobs, wall seconds and peak megabytes of one dry run of Table 1."""
    files = [str(CHECKOUT / "workflow/studies/demo.yaml"), str(study)]
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "--configfile", *files, "--", "table1"]
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    told = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(told)
    seconds = time.perf_counter() - started
    return int(re.findall(r"^total\s+(\d+)", told, re.MULTILINE)[0]), seconds, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=int, nargs="+", default=[1, 5, 10, 20, 48])
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    first = None
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "study.yaml"
        for datasets in arguments.datasets:
            write_study(study, datasets)
            runs = [dry_run(study) for _ in range(arguments.repeats)]
            jobs, seconds, megabytes = (statistics.median(values) for values in zip(*runs, strict=True))
            first = first or (jobs, seconds, megabytes)
            ratios = ", ".join(f"{now / then:.2f}" for now, then in zip((jobs, seconds, megabytes), first, strict=True))
            print(f"{jobs:5.0f} jobs  {seconds:6.1f} s  {megabytes:6.0f} MB   over the first: {ratios}", flush=True)


if __name__ == "__main__":
    main()
