"""The gap tested over groups of images, from the predictions of Table 1's runs."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.significance.groups import compared, group_level, study_level
    from learnability.significance.predictions import read_answers
    from learnability.storage.contracts import write_csv

    runs, images = read_answers(snakemake.input)
    cells = compared(runs, images, snakemake.params.pairs)
    write_csv(group_level(cells, images), snakemake.output.cells)
    write_csv(study_level(cells, images), snakemake.output.study)
