"""Encode and decode flipped and turned copies of one dataset with one autoencoder."""

from pathlib import Path

from learnability.workflow.jobs import choose_device, job, whole

with job(snakemake.log[0]):
    from learnability.autoencoders.views import encode_views

    params = snakemake.params
    entry = whole(params.entry, params.unrecorded, snakemake.input.get("weights"))
    encode_views(
        name=snakemake.wildcards.autoencoder,
        entry=entry,
        dataset=Path(snakemake.input.images).parent,
        folder=Path(snakemake.output.latents).parent,
        copies=params.copies,
        split=params.split,
        code=params.code,
        device=choose_device(params.torch_threads),
    )
