"""What of the gap is the encoding's, and what the lossless control has too."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.figures.gap_decomposition import draw_gap_decomposition, parts_of_gap
    from learnability.figures.style import save
    from learnability.storage.contracts import read_csv, read_json
    from learnability.tables.labels import labels_of

    labels = labels_of(snakemake.params.labels, [read_json(path) for path in snakemake.input.cards])
    lines = parts_of_gap(read_csv(snakemake.input.decomposition, keep_default_na=False))
    save(draw_gap_decomposition(lines, labels), snakemake.output.svg, snakemake.output.png)
