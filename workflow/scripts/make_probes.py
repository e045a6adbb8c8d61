"""The probe ladder: what classifiers from a linear map to a whole network read from every space."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.storage.contracts import read_json, read_metrics
    from learnability.tables.caveats import devices_note
    from learnability.tables.formats import write_table
    from learnability.tables.labels import labels_of
    from learnability.tables.probes import probes, render_probes

    params = snakemake.params
    labels = labels_of(params.labels, map(read_json, snakemake.input.cards))
    metrics = read_metrics(snakemake.input.metrics)
    table = probes(metrics, params.folds)
    text = render_probes(table, labels, [*params.footnotes, *devices_note(metrics, labels.datasets)])
    write_table(table, text, snakemake.output)
