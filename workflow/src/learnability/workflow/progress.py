"""What Snakemake's rich logger shows while a study runs: one bar, the time left, and the running jobs.

The plugin's own panel has a bar for every rule, but shows neither the time left nor the jobs. Its bars still count, and
this panel takes their place.
"""

import time
from datetime import timedelta
from logging import LogRecord

from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.progress import Progress
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..study.words import counted

MOST = 12  # jobs to list; a terminal has 24 lines


class StudyPanel:
    """The panel of a run: `note` takes every log record, and rich draws it by `__rich__`."""

    def __init__(self, progress: Progress):
        self.progress = progress  # the plugin's; its first bar is for the whole study
        self.running: dict[int, tuple[str, float]] = {}  # each job's description, and when it started

    def note(self, record: LogRecord) -> None:
        event = getattr(record, "event", None)
        if event == "job_info":
            self.running[record.jobid] = (record.rule_msg or record.rule_name, time.monotonic())
        elif event in ("job_finished", "job_error"):
            self.running.pop(record.job_id if event == "job_finished" else record.jobid, None)

    def __rich__(self) -> Panel:
        jobs = sorted(self.running.copy().values(), key=lambda job: job[1])  # longest running first
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        table.add_column(justify="right")
        for message, started in jobs[:MOST]:
            table.add_row(message, Text(clock(time.monotonic() - started), style="dim"))
        if len(jobs) > MOST:
            table.add_row(f"and {len(jobs) - MOST} more", "")
        return Panel(Group(self.whole_study(), table), border_style="dim", padding=(0, 1))

    def whole_study(self) -> Table:
        """Finished and running jobs, and the time left if the remaining jobs take as long as the finished ones."""
        table = Table.grid(padding=(0, 2), expand=True)
        if not self.progress.tasks:
            return table
        task = self.progress.tasks[0]
        done, total, elapsed = int(task.completed), int(task.total or 0), task.elapsed or 0
        left = f"about {clock(elapsed / done * (total - done))} left" if 0 < done < total else ""
        bar = ProgressBar(total=max(total, 1), completed=done)
        table.add_column(ratio=1)
        table.add_row(bar, f"{done} of {counted(total, 'job')}", f"{len(self.running)} running", clock(elapsed), left)
        return table


def clock(seconds: float) -> str:
    """Hours, minutes and seconds, such as 0:08:12."""
    return str(timedelta(seconds=int(seconds)))


def show_panel(handler) -> None:
    """Show a StudyPanel in place of a rich handler's panel; the handler of another logger stays as it is."""
    live, progress, emit = (getattr(handler, name, None) for name in ("live_display", "progress", "emit"))
    if not isinstance(live, Live) or not isinstance(progress, Progress):
        return
    panel = StudyPanel(progress)

    def noted(record: LogRecord) -> None:
        panel.note(record)
        emit(record)

    handler.emit = noted
    live.update(panel)


def end_panel(handler) -> None:
    """Remove the panel, so that other output can take its place."""
    if isinstance(live := getattr(handler, "live_display", None), Live):
        live.stop()
