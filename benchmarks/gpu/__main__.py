"""Checks and measures the GPU path in selectable parts; `make gpu-check`.

    python -m benchmarks.gpu [--device cuda] [--tiny] [--minutes 8] [--raw FOLDER] [--page FILE] [part ...]
    python -m benchmarks.gpu --write

Needs the repository and the Python packages of envs/requirements.in, but neither data nor weights. Every figure is kept
as it comes, in a JSON file for each device. A stopped command continues with the parts that are missing, failed, or
were measured with other code; named parts are measured anew. `--write` measures nothing and writes the page and the
rates of `learnability plan` from existing files.
"""

import argparse
import importlib.util
import os
import signal
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = str(ROOT / "workflow" / "src")
sys.path.insert(0, SOURCE)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [SOURCE, os.environ.get("PYTHONPATH")]))  # of its processes
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch  # noqa: E402

from learnability.efficiency.throughput import device_name  # noqa: E402
from learnability.planning.rates import GPUS  # noqa: E402
from learnability.storage.contracts import write_text  # noqa: E402

from .page import page  # noqa: E402
from .rates import with_measured  # noqa: E402
from .results import DONE, Results, stored  # noqa: E402
from .runner import PARTS, identity_of, run_parts  # noqa: E402
from .setting import Setting  # noqa: E402

# Committed, because a page written on another GPU's machine must keep the figures of this GPU.
MEASURED = ROOT / "docs" / "measurements" / "gpu"
PAGE = MEASURED.with_suffix(".md")
TRIED = Path("results") / "gpu_check"  # for trials, which are no measurements
LATE = ("diffusers", "jsonschema", "pyarrow", "timm")  # packages that only the parts import


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"some of {', '.join(PARTS)}; by default all")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small networks, little data: whether the parts run at all")
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--raw", type=Path, help=f"folder of the JSON files; of a GPU {MEASURED.relative_to(ROOT)}")
    parser.add_argument("--page", type=Path, help="beside the folder")
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    if unknown := sorted(set(chosen.parts) - set(PARTS)):
        parser.error(f"no part {unknown[0]}; there are {', '.join(PARTS)}")
    if chosen.device == "cuda" and not chosen.write and not torch.cuda.is_available():
        parser.error("CUDA finds no GPU here; to try the commands on a CPU: make gpu-check DEVICE=cpu TINY=1")
    if not chosen.write and (lacking := [name for name in LATE if importlib.util.find_spec(name) is None]):
        parser.error(
            f"{sys.executable} has no {', '.join(lacking)}; install what envs/requirements.in names, or without a "
            "network the wheels of these, and of what they need, into a folder on PYTHONPATH"
        )
    # So that a part ends with this command, and what it has measured is written.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    measures = chosen.write or (chosen.device == "cuda" and not chosen.tiny)
    raw = chosen.raw or (MEASURED if measures else TRIED)
    try:
        failed = [] if chosen.write else check(chosen, raw)
    finally:
        write_pages(raw, chosen.page or raw.with_suffix(".md"))
    for line in failed:
        print(line)
    return 1 if failed else 0


def write_pages(raw: Path, written: Path) -> None:
    """Write the page of the results in the folder `raw`, and the rates of measured GPUs from those that are kept."""
    write_text(page(stored(raw)), written)
    if raw == MEASURED:
        write_text(with_measured(GPUS.read_text(encoding="utf-8"), stored(raw)), GPUS)
    print(f"{written} is written")


def check(chosen: argparse.Namespace, raw: Path) -> list[str]:
    """Run the requested parts; return those that did not finish."""
    device = torch.device(chosen.device)
    torch.set_num_threads(1)
    results = Results(raw, device_name(device) if device.type == "cuda" else "CPU", chosen.tiny)
    with tempfile.TemporaryDirectory(prefix="gpu_check_") as scratch:
        setting = Setting(device, chosen.tiny, Path(scratch))
        names = [name for name in PARTS if name in chosen.parts] or [
            name for name in PARTS if not results.has(name, identity_of(setting))
        ]
        run_parts(names, setting, results, 60 * chosen.minutes)
    ends = {name: results.parts.get(name, {"ended": "not run"})["ended"] for name in names}
    return [f"{name}: {ended}" for name, ended in ends.items() if ended != DONE]


if __name__ == "__main__":
    sys.exit(main())
