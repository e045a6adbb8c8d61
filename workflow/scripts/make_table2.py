"""Table 2: PSNR and SSIM of every autoencoder and dataset."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.storage.contracts import read_encodings, read_json, write_csv, write_text
    from learnability.tables.labels import labels_of
    from learnability.tables.table2 import render_table2, table2

    labels = labels_of(snakemake.params.labels, [read_json(path) for path in snakemake.input.cards])
    table = table2(read_encodings(snakemake.input.fidelity, snakemake.input.autoencoders))
    write_csv(table, snakemake.output.csv)
    text = render_table2(table, labels, snakemake.params.footnotes)
    for extension in ("md", "html", "tex"):
        write_text(text[extension], snakemake.output[extension])
