# What a person sees of a run: the panel of the rich logger (profiles/local) meanwhile, and Table 1 at the end.
# The imports are inside functions, because every job of a run reads this file too.
import os
import sys


def note_command():
    """What the summary says that it was made by: the command of the head, which its jobs inherit."""
    from learnability.workflow.shown_command import shown_command

    os.environ.setdefault("LEARNABILITY_COMMAND", shown_command(sys.argv[1:], Path.cwd()))


def show_progress(handlers):
    """Complete the panels of the loggers that have one."""
    if handlers:
        from learnability.workflow.progress import show_panel

        for handler in handlers:
            show_panel(handler)


def show_table1(jobs, handlers):
    """Print Table 1 of a run of which it is a part; the launcher's caller (make demo) prints it itself."""
    from learnability.cli import show
    from learnability.workflow.launch import MARK
    from learnability.workflow.progress import end_panel

    made = Path(config["results"], "tables", "table1.csv").is_file()  # with --until it may be missing
    if made and MARK not in os.environ and any(job.rule.name == "make_table1" for job in jobs):
        for handler in handlers:
            end_panel(handler)
        show(Path(config["results"]))
