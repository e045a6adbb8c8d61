"""Bring weights from the model hub."""

from pathlib import Path

from learnability.workflow.jobs import job

with job(snakemake.log[0], online=True):
    from learnability.workflow.hub import fetch

    fetch(**snakemake.params.request, folder=Path(snakemake.output[0]).parent)
