"""What remedies gain, tested over groups of images."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.significance.predictions import read_all_images, with_right
    from learnability.significance.remedies import remedies
    from learnability.storage.contracts import read_json, read_metrics, write_csv

    inputs = snakemake.input
    images = read_all_images(inputs.cards, inputs.samples, inputs.folds, read_json(inputs.study)["n_splits"])
    runs = with_right(read_metrics(inputs.metrics), inputs.predictions, images)
    write_csv(remedies(runs, images, snakemake.params.rows), snakemake.output[0])
