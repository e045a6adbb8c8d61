"""Balanced accuracy over the decoder's depth."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.figures.decoder_depth import draw_decoder_depth
    from learnability.figures.style import save
    from learnability.storage.contracts import read_csv, read_json
    from learnability.tables.labels import labels_of

    labels = labels_of(snakemake.params.labels, map(read_json, snakemake.input.cards))
    table = read_csv(snakemake.input.table, keep_default_na=False)
    save(draw_decoder_depth(table, labels), snakemake.output.svg, snakemake.output.png)
