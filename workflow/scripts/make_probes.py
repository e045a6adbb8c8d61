"""The probe ladder: what classifiers from a linear map to a whole network read from every space."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.storage.contracts import read_json, read_metrics, write_csv, write_text
    from learnability.tables.caveats import devices_note
    from learnability.tables.labels import labels_of
    from learnability.tables.probes import probes, render_probes

    params = snakemake.params
    labels = labels_of(params.labels, [read_json(path) for path in snakemake.input.cards])
    metrics = read_metrics(snakemake.input.metrics)
    table = probes(metrics, params.folds)
    write_csv(table, snakemake.output.csv)
    text = render_probes(table, labels, [*params.footnotes, *devices_note(metrics, labels.datasets)])
    for extension in ("md", "html", "tex"):
        write_text(text[extension], snakemake.output[extension])
