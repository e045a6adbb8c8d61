"""Table 1: the scores of every space, autoencoder and dataset."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.storage.contracts import read_csv, read_json, read_metrics
    from learnability.tables.caveats import at_chance, devices_note, stopped_early
    from learnability.tables.formats import write_table
    from learnability.tables.frames import deciding_tests
    from learnability.tables.labels import labels_of
    from learnability.tables.table1 import render_table1, table1

    labels = labels_of(snakemake.params.labels, map(read_json, snakemake.input.cards))
    params, metrics = snakemake.params, read_metrics(snakemake.input.metrics)
    table = table1(metrics, params.folds)
    files = [read_csv(path, keep_default_na=False) for path in snakemake.input.tests]
    tests = deciding_tests(*files) if files else None
    caveats = at_chance(table, labels, read_json(snakemake.input.study)["n_splits"])
    caveats += stopped_early(metrics, params.reweighting)
    footnotes = [*params.footnotes, *devices_note(metrics, labels.datasets)]
    text = render_table1(table, labels, footnotes, params.with_sd, tests, caveats, params.metrics)
    write_table(table, text, snakemake.output)
