"""Where in the decoder the gap closes: classifiers behind its first blocks."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.storage.contracts import read_json, read_metrics, write_csv, write_text
    from learnability.tables.caveats import devices_note
    from learnability.tables.depth import decoder_depth, render_decoder_depth
    from learnability.tables.labels import labels_of

    labels = labels_of(snakemake.params.labels, [read_json(path) for path in snakemake.input.cards])
    metrics = read_metrics(snakemake.input.metrics)
    table = decoder_depth(metrics, snakemake.params.blocks, snakemake.params.folds)
    write_csv(table, snakemake.output.csv)
    footnotes = [*snakemake.params.footnotes, *devices_note(metrics, labels.datasets)]
    text = render_decoder_depth(table, labels, footnotes)
    for extension in ("md", "html", "tex"):
        write_text(text[extension], snakemake.output[extension])
