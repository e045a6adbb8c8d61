"""Encode and decode one dataset with one autoencoder."""

from pathlib import Path

from learnability.jobs import choose_device, job

with job(snakemake.log[0]):
    from learnability.autoencoders.encode import encode_dataset
    from learnability.autoencoders.weights import finetuned
    from learnability.study import resolve_autoencoder

    entry = resolve_autoencoder(snakemake.config, snakemake.wildcards.autoencoder)
    if weights := snakemake.input.get("weights"):  # fetched or fine-tuned by the workflow
        folder = Path(weights).parent
        entry = finetuned(entry, folder) if "finetune" in entry else entry | {"folder": str(folder)}
    encode_dataset(
        name=snakemake.wildcards.autoencoder,
        entry=entry,
        dataset=Path(snakemake.input.images).parent,
        folder=Path(snakemake.output.latents).parent,
        folds=snakemake.input.get("folds"),
        split=snakemake.params.split,
        code=snakemake.params.code,
        device=choose_device(snakemake.params.torch_threads),
    )
