"""Decode, resize and pack the images of one dataset."""

from pathlib import Path

from learnability.jobs import job, whole

with job(snakemake.log[0]):
    from learnability.datasets.prepare import prepare_dataset

    params = snakemake.params
    prepare_dataset(
        name=snakemake.wildcards.dataset,
        entry=whole(params.entry, params.unrecorded),
        image_size=params.image_size,
        classifier_size=params.classifier_size,
        n_splits=params.n_splits,
        folder=Path(snakemake.output.images).parent,
        threads=snakemake.threads,
    )
