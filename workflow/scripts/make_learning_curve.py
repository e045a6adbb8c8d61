"""Learning curves, and the price of reaching a loss in samples and bits."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.significance.information import with_bits
    from learnability.significance.predictions import read_all_images
    from learnability.storage.contracts import read_json, read_metrics
    from learnability.tables.formats import write_table
    from learnability.tables.labels import labels_of
    from learnability.tables.learning_curve import learning_curve, render_learning_curve

    inputs, params = snakemake.input, snakemake.params
    cards = [read_json(path) for path in inputs.cards]
    images = read_all_images(inputs)
    classes = {card["dataset"]: card["classes"] for card in cards}
    runs = with_bits(read_metrics(inputs.metrics), inputs.predictions, images, classes)
    table = learning_curve(runs, params.shares, params.folds)
    text = render_learning_curve(table, labels_of(params.labels, cards), params.footnotes)
    write_table(table, text, snakemake.output)
