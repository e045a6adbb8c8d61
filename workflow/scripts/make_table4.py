"""Table 4: what distillation, search and noise conditioning gain over a plain latent classifier."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.storage.contracts import read_csv, read_json, read_metrics
    from learnability.tables.caveats import devices_note
    from learnability.tables.formats import write_table
    from learnability.tables.labels import labels_of
    from learnability.tables.table4 import render_table4, table4

    params = snakemake.params
    labels = labels_of(params.labels, map(read_json, snakemake.input.cards))
    metrics = read_metrics(snakemake.input.metrics)
    table = table4(metrics, params.rows, params.folds)
    tests = read_csv(snakemake.input.tests, keep_default_na=False)
    footnotes = [*params.footnotes, *devices_note(metrics, labels.datasets)]
    text = render_table4(table, labels, tests, params.searched, footnotes, params.with_sd)
    write_table(table, text, snakemake.output)
