"""Does the study find existing gaps, and only those?"""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.significance.controls import control_verdicts
    from learnability.significance.predictions import read_all_images, with_right
    from learnability.storage.contracts import read_csv, read_json, read_metrics, write_csv

    inputs, n_splits = snakemake.input, read_json(snakemake.input.study)["n_splits"]
    images = read_all_images(inputs.cards, inputs.samples, inputs.folds, n_splits)
    runs = with_right(read_metrics(inputs.metrics), inputs.predictions, images)
    gaps = [read_csv(path, keep_default_na=False) for path in inputs.gaps]
    write_csv(control_verdicts(runs, images, snakemake.params.comparisons, *gaps), snakemake.output[0])
