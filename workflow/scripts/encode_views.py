"""Encode and decode flipped and turned copies of one dataset with one autoencoder."""

from pathlib import Path

from learnability.workflow.jobs import choose_device, job, whole

with job(snakemake.log[0]):
    from learnability.autoencoders.views import encode_views

    params, entry = snakemake.params, whole(snakemake.params.entry, snakemake.params.unrecorded)
    if weights := snakemake.input.get("weights"):  # fetched or fine-tuned by the workflow
        entry["folder"] = str(Path(weights).parent)
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
