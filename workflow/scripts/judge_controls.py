"""Does the study find existing gaps, and only those?"""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.significance.controls import control_verdicts
    from learnability.significance.predictions import read_answers
    from learnability.storage.contracts import read_csv, write_csv

    runs, images = read_answers(snakemake.input)
    gaps = [read_csv(path, keep_default_na=False) for path in snakemake.input.gaps]
    write_csv(control_verdicts(runs, images, snakemake.params.comparisons, *gaps), snakemake.output[0])
