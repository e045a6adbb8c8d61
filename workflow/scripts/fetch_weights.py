"""Bring weights from the model hub."""

from pathlib import Path

from learnability.jobs import job

with job(snakemake.log[0], online=True):
    from learnability.hub import fetch

    fetch(**snakemake.params.request, folder=Path(snakemake.output[0]).parent)
