"""The gap of every autoencoder and dataset, and what of it is the encoding's."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.figures.gaps import draw_gaps, measured
    from learnability.figures.style import save
    from learnability.storage.contracts import read_csv, read_json
    from learnability.tables.labels import labels_of

    files = snakemake.input
    labels = labels_of(snakemake.params.labels, map(read_json, files.cards))
    gaps = read_csv(files.gaps, keep_default_na=False, dtype=str)
    decomposition, controls = (
        read_csv(paths[0], keep_default_na=False) if paths else None
        for paths in ([*files.decomposition], [*files.controls])
    )
    save(draw_gaps(measured(gaps, decomposition, controls), labels), snakemake.output.svg, snakemake.output.png)
