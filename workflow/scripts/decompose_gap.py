"""The honest gap: how much of the published gap the encoding itself costs."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.significance.decomposition import gap_decomposition
    from learnability.storage.contracts import read_metrics, write_csv

    metrics = read_metrics(snakemake.input.metrics)
    write_csv(gap_decomposition(metrics, snakemake.params.recipes, snakemake.params.controls), snakemake.output[0])
