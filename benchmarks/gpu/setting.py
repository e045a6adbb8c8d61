"""What the parts of the check share: the device, how large things are, and how a step is timed."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from learnability.efficiency.throughput import Timing, measure


class Figure(NamedTuple):
    """One figure: `of` is the row of the part's table, `what` the column, with its unit."""

    of: str
    what: str
    value: float | str


@dataclass(frozen=True)
class Setting:
    """Where and how large; all parts of a command share the folder `scratch`; a part is ended after `seconds`."""

    device: torch.device
    tiny: bool
    scratch: Path
    seconds: float = math.inf

    @property
    def cuda(self) -> bool:
        return self.device.type == "cuda"

    def size(self, full: int, tiny: int) -> int:
        return tiny if self.tiny else full

    def rate(self, step: Callable[[], object], samples: int) -> float:
        """Samples per second of a step on `samples` of them, the median of three timings."""
        timing = Timing(1, 1, 0.0, 1) if self.tiny else Timing(warmup=3, iterations=1, seconds=0.4, repeats=3)
        return measure(step, samples, timing, self.device).samples_per_second

    def wait(self) -> None:
        """Let the host wait until the device has done what it was asked."""
        if self.cuda:
            torch.cuda.synchronize()


def attempted(of: str, what: str, call: Callable[[], float | str]) -> Iterator[Figure]:
    """The figure that `call` gives, or how it failed: the others of the part go on."""
    try:
        yield Figure(of, what, call())
    except Exception as error:
        yield Figure(
            of, what, f"failed: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:160]
        )
