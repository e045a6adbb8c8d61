"""The tests of Table 4: each row against the latent and the reconstruction row."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.significance.ablation import ablation
    from learnability.storage.contracts import read_metrics, write_csv

    write_csv(ablation(read_metrics(snakemake.input.metrics), snakemake.params.rows), snakemake.output[0])
