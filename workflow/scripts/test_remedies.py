"""What remedies gain, tested over groups of images."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.significance.predictions import read_answers
    from learnability.significance.remedies import remedies
    from learnability.storage.contracts import write_csv

    runs, images = read_answers(snakemake.input)
    write_csv(remedies(runs, images, snakemake.params.rows), snakemake.output[0])
