"""The gap on frequent, middle and rare classes."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.significance.frequency import gap_by_frequency
    from learnability.significance.predictions import read_all_images, with_right
    from learnability.storage.contracts import read_json, read_metrics
    from learnability.tables.formats import write_table
    from learnability.tables.gap_by_frequency import render_gap_by_frequency
    from learnability.tables.labels import labels_of

    inputs, params = snakemake.input, snakemake.params
    cards = {card["dataset"]: card for card in map(read_json, inputs.cards)}
    images = read_all_images(inputs.cards, inputs.samples, inputs.folds, read_json(inputs.study)["n_splits"])
    runs = with_right(read_metrics(inputs.metrics), inputs.predictions, images)
    table = gap_by_frequency(runs, images, cards, params.recipes, params.decomposed, params.controls)
    text = render_gap_by_frequency(table, labels_of(params.labels, cards.values()), params.footnotes)
    write_table(table, text, snakemake.output)
