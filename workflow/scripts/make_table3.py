"""Table 3: what classifiers reach within one wall-clock budget, and what they cost in time and memory."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.storage.contracts import read_csv, read_json
    from learnability.tables.formats import write_table
    from learnability.tables.labels import labels_of
    from learnability.tables.table3 import render_table3, table3

    labels = labels_of(snakemake.params.labels, map(read_json, snakemake.input.cards))
    table = table3([read_csv(path, keep_default_na=False) for path in snakemake.input.rows])
    write_table(table, render_table3(table, labels, snakemake.params.footnotes), snakemake.output)
