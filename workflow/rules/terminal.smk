# What a person sees of a run: the panel of the rich logger (profiles/local) while it goes on, and Table 1 at its end.
import os

from learnability.launch import MARK
from learnability.progress import end_panel, show_panel


def show_table1(jobs):
    """Print Table 1 of a run of which it is a part; the launcher's caller (make demo) prints it itself."""
    from learnability.cli import show  # here, because every command would wait for its imports

    if MARK not in os.environ and any(job.rule.name == "make_table1" for job in jobs):
        for handler in workflow.logger_manager.plugin_handlers:
            end_panel(handler)
        show(Path(config["results"]))


for _handler in workflow.logger_manager.plugin_handlers:
    show_panel(_handler)
