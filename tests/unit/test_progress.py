"""The panel of a run, drawn without a terminal."""

import io
from logging import LogRecord

from rich.console import Console
from rich.live import Live
from rich.progress import Progress

from learnability.workflow.progress import MOST, StudyPanel, clock, show_panel


def record(event: str | None, **fields) -> LogRecord:
    made = LogRecord("snakemake", 20, "", 0, "", (), None)
    made.__dict__ |= {"event": event} | fields
    return made


def started(number: int, **fields) -> LogRecord:
    return record("job_info", jobid=number, rule_name="make_folds", rule_msg=f"Folding number {number}", **fields)


def drawn(panel: StudyPanel) -> list[str]:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(panel)
    return [line.strip("│ \n") for line in console.export_text().splitlines()[1:-1]]


def panel_of(done: int, total: int) -> StudyPanel:
    progress = Progress(disable=True)
    progress.add_task("Total Progress", total=total, completed=done)
    return StudyPanel(progress)


def test_jobs_are_listed_while_they_run():
    panel = panel_of(0, 4)
    for number in (1, 2, 3):
        panel.note(started(number))
    panel.note(record("job_finished", job_id=1))
    panel.note(record("job_error", jobid=3))
    panel.note(record(None))
    first, *jobs = drawn(panel)
    assert "0 of 4 jobs" in first
    assert "1 running" in first
    assert "left" not in first  # nothing is known yet
    assert [line.split("  ")[0] for line in jobs] == ["Folding number 2"]


def test_time_left_is_by_the_pace_of_what_is_done():
    panel = panel_of(2, 8)
    (task,) = panel.progress.tasks
    task.start_time, task.stop_time = 0, 60
    assert "0:01:00  about 0:03:00 left" in drawn(panel)[0]


def test_many_jobs_are_counted_and_not_listed():
    panel = panel_of(1, 99)
    for number in range(MOST + 5):
        panel.note(started(number))
    lines = drawn(panel)
    assert len(lines) == 1 + MOST + 1
    assert lines[-1].startswith("and 5 more")


def test_a_handler_of_another_logger_is_left_alone():
    class Plain:
        emit = None

    show_panel(Plain())
    assert clock(3725.9) == "1:02:05"


def test_records_reach_the_panel_and_the_handler():
    class Handler:
        def __init__(self):
            self.progress, self.live_display, self.seen = Progress(disable=True), Live(), []

        def emit(self, record):
            self.seen.append(record)

    handler = Handler()
    show_panel(handler)
    handler.emit(started(7))
    assert len(handler.seen) == 1
    assert handler.live_display.renderable.running.keys() == {7}
