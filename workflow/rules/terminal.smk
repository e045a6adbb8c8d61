# What a person sees of a run: the panel of the rich logger (profiles/local) while it goes on, and Table 1 at its end.
# The imports are inside, because every job of a run reads this file too.
import os
import shlex
import sys


def note_command():
    """What the summary says that it was made by: the command of the head, which its jobs inherit."""
    here = f"{Path.cwd()}/"
    words = [word.replace(here, "") for word in sys.argv[1:]]
    words = [Path(word).name if os.path.isabs(word) else word for word in words]
    os.environ.setdefault("LEARNABILITY_COMMAND", shlex.join(["snakemake", *words]))


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

    made = Path(config["results"], "tables", "table1.csv").is_file()  # with --until it may not be there
    if made and MARK not in os.environ and any(job.rule.name == "make_table1" for job in jobs):
        for handler in handlers:
            end_panel(handler)
        show(Path(config["results"]))
