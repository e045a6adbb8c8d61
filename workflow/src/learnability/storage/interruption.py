"""A long job that can be stopped: it saves what it has done now and then, and on SIGTERM before it ends."""

import signal
import time


class Interruption:
    """While it is open, SIGTERM (preemption, scancel, a time limit) is noted and does not end the process.

    Ask `is_due` between two steps; where it is true, save and call `saved`.
    """

    def __init__(self, seconds_between_saves: float):
        self.asked, self.seconds, self.last = False, seconds_between_saves, time.monotonic()

    def __enter__(self) -> "Interruption":
        self._before = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(self, *error) -> None:
        signal.signal(signal.SIGTERM, self._before)

    def _note(self, *_) -> None:
        self.asked = True

    def is_due(self) -> bool:
        """Whether to save now: SIGTERM came, or a kill without warning would cost too much."""
        return self.asked or time.monotonic() - self.last > self.seconds

    def saved(self) -> None:
        """Note a save; after SIGTERM end the process, as a failure, so that whoever started it starts it again."""
        self.last = time.monotonic()
        if self.asked:
            print("SIGTERM: saved; the next start goes on from here", flush=True)
            raise SystemExit(128 + signal.SIGTERM)
