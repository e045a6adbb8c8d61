"""The honest gap: how much of the published gap the encoding itself costs."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.significance.decomposition import gap_decomposition
    from learnability.significance.predictions import read_all_images, with_right
    from learnability.storage.contracts import read_json, read_metrics, write_csv

    inputs, params = snakemake.input, snakemake.params
    images = read_all_images(inputs.cards, inputs.samples, inputs.folds, read_json(inputs.study)["n_splits"])
    runs = with_right(read_metrics(inputs.metrics), inputs.predictions, images)
    write_csv(gap_decomposition(runs, params.recipes, params.controls, images), snakemake.output[0])
