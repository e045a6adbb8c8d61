"""Where in the decoder the gap closes: classifiers behind its first blocks."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.storage.contracts import read_json, read_metrics
    from learnability.tables.caveats import devices_note
    from learnability.tables.depth import decoder_depth, render_decoder_depth
    from learnability.tables.formats import write_table
    from learnability.tables.labels import labels_of

    labels = labels_of(snakemake.params.labels, map(read_json, snakemake.input.cards))
    metrics = read_metrics(snakemake.input.metrics)
    table = decoder_depth(metrics, snakemake.params.blocks, snakemake.params.folds)
    footnotes = [*snakemake.params.footnotes, *devices_note(metrics, labels.datasets)]
    write_table(table, render_decoder_depth(table, labels, footnotes), snakemake.output)
