"""Write down which datasets, autoencoders, spaces, recipes and folds the tables of this folder hold."""

from learnability.jobs import job

with job(snakemake.log[0]):
    from learnability.contracts import write_json

    write_json(snakemake.params.content, snakemake.output[0])
