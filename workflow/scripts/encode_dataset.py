"""Encode and decode one dataset with one autoencoder."""

from pathlib import Path

from learnability.jobs import choose_device, job

with job(snakemake.log[0]):
    from learnability.autoencoders.encode import encode_dataset
    from learnability.study import resolve_autoencoder

    entry = resolve_autoencoder(snakemake.config, snakemake.wildcards.autoencoder)
    if snakemake.input.get("weights"):  # fine-tuned by the workflow
        entry = entry | {"source": str(Path(snakemake.input.weights).parent), "subfolder": None}
    encode_dataset(
        name=snakemake.wildcards.autoencoder,
        entry=entry,
        dataset=Path(snakemake.input.images).parent,
        folder=Path(snakemake.output.latents).parent,
        folds=snakemake.input.get("folds"),
        split=snakemake.params.split,
        device=choose_device(snakemake.params.torch_threads),
    )
