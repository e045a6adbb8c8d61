"""Table 2: PSNR and SSIM of every autoencoder and dataset."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.storage.contracts import read_encodings, read_json
    from learnability.tables.formats import write_table
    from learnability.tables.labels import labels_of
    from learnability.tables.table2 import render_table2, table2

    labels = labels_of(snakemake.params.labels, map(read_json, snakemake.input.cards))
    table = table2(read_encodings(snakemake.input.fidelity, snakemake.input.autoencoders))
    write_table(table, render_table2(table, labels, snakemake.params.footnotes), snakemake.output)
