"""Decode, resize and pack the images of one dataset."""

from pathlib import Path

from learnability.jobs import job

with job(snakemake.log[0]):
    from learnability.datasets.prepare import prepare_dataset

    prepare_dataset(
        name=snakemake.wildcards.dataset,
        entry=snakemake.config["datasets"][snakemake.wildcards.dataset],
        image_size=snakemake.params.image_size,
        classifier_size=snakemake.params.classifier_size,
        n_splits=snakemake.config["study"]["n_splits"],
        folder=Path(snakemake.output.images).parent,
        threads=snakemake.threads,
    )
