"""The gap of every autoencoder and dataset, with its interval."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.storage.contracts import read_csv, read_json
    from learnability.tables.formats import write_table
    from learnability.tables.gap import gap_table, render_gap
    from learnability.tables.labels import labels_of

    labels = labels_of(snakemake.params.labels, map(read_json, snakemake.input.cards))
    table1 = read_csv(snakemake.input.table1, keep_default_na=False)
    tests = [read_csv(path, keep_default_na=False, dtype=str) for path in snakemake.input.tests]
    n_splits = read_json(snakemake.input.study)["n_splits"]
    table = gap_table(table1, *tests, labels, n_splits)
    write_table(table, render_gap(table, table1, labels, n_splits, snakemake.params.footnotes), snakemake.output)
