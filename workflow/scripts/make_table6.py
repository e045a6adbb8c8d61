"""Table 6: what closes the gap, and at what price."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.autoencoders.lossy import psnr_of_encodings
    from learnability.storage.contracts import read_csv, read_encodings, read_json, read_metrics
    from learnability.tables.caveats import devices_note
    from learnability.tables.formats import write_table
    from learnability.tables.labels import labels_of
    from learnability.tables.table6 import render_table6, table6

    inputs, params = snakemake.input, snakemake.params
    labels = labels_of(params.labels, [read_json(path) for path in inputs.cards])
    metrics, tests = read_metrics(inputs.metrics), read_csv(inputs.tests, keep_default_na=False)
    psnr = psnr_of_encodings(read_encodings(inputs.fidelity, inputs.autoencoders))
    table = table6(metrics, tests, psnr, params.rows, params.folds)
    text = render_table6(table, tests, labels, [*params.footnotes, *devices_note(metrics, labels.datasets)])
    write_table(table, text, snakemake.output)
