"""Encode and decode one dataset with one autoencoder."""

from pathlib import Path

from learnability.jobs import choose_device, job

with job(snakemake.log[0]):
    from learnability.autoencoders.encode import encode_dataset
    from learnability.study import resolve_autoencoder

    entry = resolve_autoencoder(snakemake.config, snakemake.wildcards.autoencoder)
    if weights := snakemake.input.get("weights"):  # fetched or fine-tuned by the workflow
        entry = entry | {"folder": str(Path(weights).parent)}
    if "finetune" in entry:
        entry |= {"source": f"{entry['source']}, fine-tuned", "subfolder": None, "variant": None}
    encode_dataset(
        name=snakemake.wildcards.autoencoder,
        entry=entry,
        dataset=Path(snakemake.input.images).parent,
        folder=Path(snakemake.output.latents).parent,
        device=choose_device(snakemake.params.torch_threads),
    )
