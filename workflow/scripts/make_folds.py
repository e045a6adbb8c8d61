"""Assign the samples of one dataset to grouped, stratified folds."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.datasets.folds import make_folds
    from learnability.storage.contracts import read_samples, write_parquet

    folds = make_folds(
        read_samples(snakemake.input.samples),
        n_splits=snakemake.params.n_splits,
        seed=snakemake.params.seed,
        rare_classes=snakemake.params.rare_classes,
        origin=f"datasets.{snakemake.wildcards.dataset}",
    )
    write_parquet(folds, snakemake.output[0])
