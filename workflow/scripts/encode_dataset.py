"""Encode and decode one dataset with one autoencoder."""

from pathlib import Path

from learnability.workflow.jobs import choose_device, job, whole

with job(snakemake.log[0]):
    from learnability.autoencoders.encode import encode_dataset

    params = snakemake.params
    entry = whole(params.entry, params.unrecorded, snakemake.input.get("weights"))
    encode_dataset(
        name=snakemake.wildcards.autoencoder,
        entry=entry,
        dataset=Path(snakemake.input.images).parent,
        folder=Path(snakemake.output.latents).parent,
        folds=snakemake.input.get("folds"),
        split=params.split,
        code=params.code,
        device=choose_device(params.torch_threads),
    )
