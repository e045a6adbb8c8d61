"""Usable information in bits, and its gap."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.significance.information import with_bits
    from learnability.significance.predictions import read_all_images
    from learnability.storage.contracts import read_json, read_metrics
    from learnability.tables.formats import write_table
    from learnability.tables.labels import labels_of
    from learnability.tables.probes import information, render_information

    inputs, params = snakemake.input, snakemake.params
    cards = [read_json(path) for path in inputs.cards]
    images = read_all_images(inputs)
    classes = {card["dataset"]: card["classes"] for card in cards}
    runs = with_bits(read_metrics(inputs.metrics), inputs.predictions, images, classes)
    table = information(runs, params.folds)
    write_table(table, render_information(table, labels_of(params.labels, cards), params.footnotes), snakemake.output)
