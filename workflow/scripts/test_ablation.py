"""The tests of Table 4: each row against the latent and the reconstruction row."""

from learnability.jobs import job

with job(snakemake.log[0]):
    from learnability.contracts import read_metrics, write_csv
    from learnability.significance.ablation import ablation

    write_csv(ablation(read_metrics(snakemake.input.metrics), snakemake.params.rows), snakemake.output[0])
