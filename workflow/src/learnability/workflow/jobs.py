"""What every rule's script does around its one call: log, fixed threads, and a single message for bad input."""

import ctypes
import gc
import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError
from ..storage.whole_files import ADVICE, unwritten
from .gpu_leases import VISIBLE, take_card

DEVICE, ALLOCATED = "LEARNABILITY_DEVICE", "SLURM_JOB_GPUS"
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of mallopt, as malloc.h numbers them
KEPT, MAPPED = 256 * 2**20, 32 * 2**20  # bytes: the second is the most that glibc accepts


@contextmanager
def job(log: str, online: bool = False) -> Iterator[None]:
    """Send output to the job's log; an InputError ends the job with only its message, any other error with a trace.

    Unless the job is `online`, the model hub is switched off: nodes with a GPU usually have no network, and waiting for
    one costs GPU time.

    A script imports what it calls inside the block. Errors there are logged too, and it takes a sixth less time,
    because the garbage collector would otherwise walk the objects of 2,700 modules again and again.
    """
    gc.set_threshold(100_000)
    keep_freed_memory()
    if not online:
        os.environ["HF_HUB_OFFLINE"] = "1"
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    terminal = os.dup(2)
    with open(log, "w", buffering=1, encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield
        except (InputError, OSError) as caught:
            error = with_advice(caught, log)
            os.write(terminal, f"\nError: {error}\n".encode())  # first, because a full disk may refuse the log as well
            try:
                print(f"Error: {error}", file=sys.stderr, flush=True)
                if not isinstance(caught, InputError):
                    traceback.print_exc()  # only into the log; an InputError needs no trace
            except OSError:  # buffered output must go somewhere, or Python ends with another exit code
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, 1)
                os.dup2(nowhere, 2)
            sys.exit(1)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()


def keep_freed_memory() -> None:
    """Let glibc keep up to KEPT bytes that were freed, for blocks below MAPPED; other C libraries stay as they are.

    By default it hands the tensors of each batch back to the system, which then clears every page for the next one.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, MAPPED)
        mallopt(TRIM_THRESHOLD, KEPT)


def with_advice(error: Exception, log: str) -> Exception:
    """Add the job's log and advice to a failed write that names no file, such as that of a figure or the log."""
    if isinstance(error, OSError) and error.errno in ADVICE and "could not be written" not in str(error):
        return unwritten(error.filename or f"{log}, or another file of this job,", error)
    return error


def choose_device(threads: int, alone: bool = False):
    """Return the GPU if there is one, else the CPU with a fixed number of threads; waits while GPUs are leased.

    One and two threads give different bits, so the rule sets the number, not the machine. Jobs that share a GPU get
    equal parts of its memory; a job that is `alone` gets all. Raises InputError if the environment gives a GPU that
    PyTorch cannot use, because the job would waste its allocation on a CPU. `LEARNABILITY_DEVICE=cpu` chooses the CPU
    all the same.
    """
    given = given_gpu(os.environ)
    sharing = take_card(os.environ, alone)  # before CUDA starts
    import torch

    torch.set_num_threads(threads)
    if os.environ.get(DEVICE) == "cpu":
        return torch.device("cpu")
    if not (torch.cuda.is_available() and has_kernels()):
        if given:
            raise InputError(
                f"{given} gives this job a GPU, and PyTorch cannot use it: {why_no_gpu()}. Install the PyTorch whose "
                f"CUDA this driver and this GPU know, or update the driver; to compute on the CPU anyway, set "
                f"{DEVICE}=cpu"
            )
        if given_gpu(os.environ):  # true only now: take_card leased a GPU of this machine
            print(f"PyTorch cannot use it: {why_no_gpu()}; this job runs on the CPU", flush=True)
        return torch.device("cpu")
    if sharing > 1:
        torch.cuda.set_per_process_memory_fraction(1 / sharing)
    return torch.device("cuda")


def given_gpu(environment: Mapping[str, str]) -> str:
    """The variable, with its value, by which a scheduler or a user gives this process a GPU; "" if there is none."""
    visible, allocated = environment.get(VISIBLE, ""), environment.get(ALLOCATED, "")
    if visible.split(",")[0].strip() in ("-1", "NoDevFiles"):  # as CUDA and SLURM write "none"
        return ""
    return f"{VISIBLE}={visible}" if visible.strip() else f"{ALLOCATED}={allocated}" if allocated else ""


def has_kernels() -> bool:
    """Whether PyTorch has kernels for the GPU that CUDA finds: each of its builds leaves out older ones."""
    import torch

    try:
        torch.zeros(1, device="cuda").add_(1)
    except RuntimeError as error:
        if "no kernel image" not in str(error):
            raise
        return False
    return True


def why_no_gpu() -> str:
    """What PyTorch says of the GPU, its build, and the installed driver."""
    import torch

    try:
        torch.cuda.init()
        known = " ".join(torch.cuda.get_arch_list())
        said = f"it has kernels for {known}, and {torch.cuda.get_device_name()} is none of these"
    except (RuntimeError, AssertionError) as error:
        said = " ".join(str(error).split()).rstrip(".")
    build = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "for CPUs alone"
    return f"{said} (torch {torch.__version__}, built {build}; {driver()})"


def driver() -> str:
    """The version of NVIDIA's driver according to nvidia-smi."""
    if not shutil.which("nvidia-smi"):
        return "no nvidia-smi here"
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (asked.stdout or asked.stderr).split("\n")
    return f"driver {lines[0]}" if asked.returncode == 0 else f"nvidia-smi: {lines[0]}"


def whole(recorded: dict | None, unrecorded: dict | None, weights: str | None = None) -> dict | None:
    """Join an entry of the configuration from its two parameters (workflow/rules/params.smk), or return None.

    `weights` is a file of the weights that the workflow fetches or fine-tunes, whose folder the entry then names.
    """
    if recorded is None:
        return None
    return recorded | unrecorded | ({"folder": str(Path(weights).parent)} if weights else {})
