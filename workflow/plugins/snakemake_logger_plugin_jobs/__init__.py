"""Snakemake's own account of the jobs of a run, one line of JSON each: how `learnability plan` asks a dry run."""

import json
from dataclasses import dataclass, field
from logging import LogRecord

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase


@dataclass
class LogHandlerSettings(LogHandlerSettingsBase):
    file: str = field(default="", metadata={"help": "the file that the jobs are written to", "required": True})


class LogHandler(LogHandlerBase):
    """Writes rule, wildcards, threads and files of every job; everything else is left to the default handler."""

    # The file is closed after each line, and is no log of the run that Snakemake should report.
    writes_to_stream = writes_to_file = has_filter = has_formatter = needs_rulegraph = False

    def emit(self, record: LogRecord) -> None:
        if getattr(record, "event", None) != LogEvent.JOB_INFO:
            return
        job = {"rule": record.rule_name, "wildcards": dict(record.wildcards), "threads": record.threads}
        job |= {"input": list(record.input), "output": list(record.output)}
        with open(self.settings.file, "a", encoding="utf-8") as file:
            file.write(json.dumps(job) + "\n")
