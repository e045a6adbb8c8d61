"""The honest gap: how much of the published gap the encoding itself costs."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.significance.decomposition import gap_decomposition
    from learnability.significance.predictions import read_answers
    from learnability.storage.contracts import write_csv

    params = snakemake.params
    runs, images = read_answers(snakemake.input)
    write_csv(gap_decomposition(runs, params.recipes, params.controls, images), snakemake.output[0])
