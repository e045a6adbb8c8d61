"""The gap tested over groups of images, from the predictions of Table 1's runs."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.significance.groups import compared, group_level, study_level
    from learnability.significance.predictions import read_all_images, with_right
    from learnability.storage.contracts import read_json, read_metrics, write_csv

    inputs, n_splits = snakemake.input, read_json(snakemake.input.study)["n_splits"]
    images = read_all_images(inputs.cards, inputs.samples, inputs.folds, n_splits)
    runs = with_right(read_metrics(inputs.metrics), inputs.predictions, images)
    cells = compared(runs, images, snakemake.params.pairs)
    write_csv(group_level(cells, images), snakemake.output.cells)
    write_csv(study_level(cells, images), snakemake.output.study)
