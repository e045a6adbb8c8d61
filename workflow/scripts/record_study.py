"""Write down which datasets, autoencoders, spaces, recipes and folds the tables of this folder hold."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.storage.contracts import write_json

    write_json(snakemake.params.content, snakemake.output[0])
