"""Table 1: the scores of every space, autoencoder and dataset."""

from learnability.contracts import read_json, read_metrics, write_csv, write_text
from learnability.jobs import job
from learnability.tables import labels_of, render_table1, table1

with job(snakemake.log[0]):
    labels = labels_of(snakemake.params.labels, [read_json(path) for path in snakemake.input.cards])
    table = table1(read_metrics(snakemake.input.metrics), snakemake.params.folds)
    csv, *rendered = snakemake.output
    write_csv(table, csv)
    text = render_table1(table, labels, snakemake.params.footnotes)
    for path in rendered:
        write_text(text[path.rsplit(".", 1)[1]], path)
