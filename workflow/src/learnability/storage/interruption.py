"""A long job that can be stopped: it saves its work now and then, and before it ends on SIGTERM or Ctrl-C."""

import signal
import time

SIGNALS = (signal.SIGTERM, signal.SIGINT)  # preemption, scancel, a time limit; Ctrl-C


class Interruption:
    """While this is open, a signal is noted and does not end the process; a second Ctrl-C does.

    Ask `is_due` between two steps; if it is true, save and call `saved`.
    """

    def __init__(self, seconds_between_saves: float):
        self.asked, self.seconds, self.last = 0, seconds_between_saves, time.monotonic()

    def __enter__(self) -> "Interruption":
        # A process that a shell started in the background ignores Ctrl-C, and keeps ignoring it.
        noted = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._note) for number in noted}
        return self

    def __exit__(self, *error) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _) -> None:
        if self.asked == number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = number

    def is_due(self, seconds: float | None = None) -> bool:
        """Whether to save now: a signal came, or the last save is older than `seconds` (None: as at the start)."""
        return bool(self.asked) or time.monotonic() - self.last > (self.seconds if seconds is None else seconds)

    def saved(self) -> None:
        """Note a save. After a signal, end the process as a failure, so that whoever started it starts it again."""
        self.last = time.monotonic()
        if self.asked:
            print(f"{signal.Signals(self.asked).name}: saved; the next start continues from here", flush=True)
            raise SystemExit(128 + self.asked)
