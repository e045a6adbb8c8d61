"""The gap of every autoencoder and dataset, with its interval."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.storage.contracts import read_csv, read_json, write_csv, write_text
    from learnability.tables.gap import gap_table, render_gap
    from learnability.tables.labels import labels_of

    labels = labels_of(snakemake.params.labels, [read_json(path) for path in snakemake.input.cards])
    table1 = read_csv(snakemake.input.table1, keep_default_na=False)
    tests = [read_csv(path, keep_default_na=False, dtype=str) for path in snakemake.input.tests]
    n_splits = read_json(snakemake.input.study)["n_splits"]
    table = gap_table(table1, *tests, labels, n_splits)
    write_csv(table, snakemake.output.csv)
    text = render_gap(table, table1, labels, n_splits, snakemake.params.footnotes)
    for extension in ("md", "html", "tex"):
        write_text(text[extension], snakemake.output[extension])
