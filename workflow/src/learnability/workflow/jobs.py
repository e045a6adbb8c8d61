"""What every script of a rule does around its one call: log, fixed threads, and one message for a bad input."""

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
from .gpu_leases import VISIBLE, take_card

DEVICE, ALLOCATED = "LEARNABILITY_DEVICE", "SLURM_JOB_GPUS"


@contextmanager
def job(log: str, online: bool = False) -> Iterator[None]:
    """Send output to the job's log; an InputError ends the job with only its message, any other error with a trace.

    The model hub is switched off unless the job is `online`: nodes with a GPU usually have no network, and a
    request that waits for one costs GPU time.

    A script imports what it calls inside the block: what goes wrong there is logged too, and it takes a sixth less
    time, because the collector would walk the objects of 2,700 modules again and again.
    """
    gc.set_threshold(100_000)
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
            os.write(terminal, f"\nError: {error}\n".encode())  # first: a full disk may refuse the log as well
            try:
                print(f"Error: {error}", file=sys.stderr, flush=True)
                if not isinstance(caught, InputError):
                    traceback.print_exc()  # into the log only; an InputError says all by itself
            except OSError:  # what Python still holds back must go somewhere, else it ends with a code of its own
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, 1)
                os.dup2(nowhere, 2)
            sys.exit(1)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()


def with_advice(error: Exception, log: str) -> Exception:
    """A failed write that names no file, as of a figure or of the log itself, with the job's log and what to do."""
    from ..storage.arrays import ADVICE, unwritten  # here, because it waits for NumPy

    if isinstance(error, OSError) and error.errno in ADVICE and "could not be written" not in str(error):
        return unwritten(error.filename or f"{log}, or another file of this job,", error)
    return error


def choose_device(threads: int, alone: bool = False):
    """Return the GPU if there is one, else the CPU with a fixed number of threads; waits for a GPU that is leased.

    One and two threads give different bits, so the number is the rule's, not the machine's. Jobs that share a card
    have equal parts of its memory; one that is `alone` shares it with none, and has all. A GPU that the environment
    gives and that PyTorch cannot use is an InputError: on a CPU the job would take its allocation for nothing.
    `LEARNABILITY_DEVICE=cpu` wants the CPU all the same.
    """
    given = given_gpu(os.environ)
    sharing = take_card(os.environ, alone)  # before CUDA starts
    import torch

    torch.set_num_threads(threads)
    if os.environ.get(DEVICE) == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        if given:
            raise InputError(
                f"{given} gives this job a GPU, and PyTorch cannot use it: {why_no_gpu()}. Install the PyTorch whose "
                f"CUDA this driver knows, or update the driver; to compute on the CPU anyway, set {DEVICE}=cpu"
            )
        if given_gpu(os.environ):  # now: it leased a card of this machine, which no scheduler counts
            print(f"PyTorch cannot use it: {why_no_gpu()}; this job runs on the CPU", flush=True)
        return torch.device("cpu")
    if sharing > 1:
        torch.cuda.set_per_process_memory_fraction(1 / sharing)
    return torch.device("cuda")


def given_gpu(environment: Mapping[str, str]) -> str:
    """The variable, with its value, by which a scheduler or a user gives this process a GPU; "" where none does."""
    visible, allocated = environment.get(VISIBLE, ""), environment.get(ALLOCATED, "")
    if visible.split(",")[0].strip() in ("-1", "NoDevFiles"):  # as CUDA and SLURM write "none"
        return ""
    return f"{VISIBLE}={visible}" if visible.strip() else f"{ALLOCATED}={allocated}" if allocated else ""


def why_no_gpu() -> str:
    """What PyTorch says when CUDA is to start, which build it is, and which driver is there."""
    import torch

    try:
        torch.cuda.init()
        said = "torch.cuda.is_available() is false"
    except (RuntimeError, AssertionError) as error:
        said = " ".join(str(error).split()).rstrip(".")
    build = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "for CPUs alone"
    return f"{said} (torch {torch.__version__}, built {build}; {driver()})"


def driver() -> str:
    """The version of NVIDIA's driver, as nvidia-smi says it."""
    if not shutil.which("nvidia-smi"):
        return "no nvidia-smi here"
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (asked.stdout or asked.stderr).split("\n")
    return f"driver {lines[0]}" if asked.returncode == 0 else f"nvidia-smi: {lines[0]}"


def whole(recorded: dict | None, unrecorded: dict | None) -> dict | None:
    """An entry of the configuration from the two parameters that it comes in (workflow/rules/params.smk), or None."""
    return None if recorded is None else recorded | unrecorded
