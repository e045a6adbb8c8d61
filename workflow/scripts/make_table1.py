"""Table 1: the scores of every space, autoencoder and dataset."""

from learnability.jobs import job

with job(snakemake.log[0]):
    from learnability.contracts import read_json, read_metrics, write_csv, write_text
    from learnability.tables import labels_of, render_table1, table1

    labels = labels_of(snakemake.params.labels, [read_json(path) for path in snakemake.input.cards])
    table = table1(read_metrics(snakemake.input.metrics), snakemake.params.folds)
    write_csv(table, snakemake.output.csv)
    text = render_table1(table, labels, snakemake.params.footnotes)
    for extension in ("md", "html", "tex"):
        write_text(text[extension], snakemake.output[extension])
