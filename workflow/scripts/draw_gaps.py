"""The gap of every autoencoder and dataset, with folds and interval."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    import pandas as pd

    from learnability.figures.gaps import draw_gaps
    from learnability.figures.style import save
    from learnability.storage.contracts import read_json, read_metrics
    from learnability.tables.labels import labels_of

    labels = labels_of(snakemake.params.labels, [read_json(path) for path in snakemake.input.cards])
    tests = pd.read_csv(snakemake.input.tests, keep_default_na=False)
    figure = draw_gaps(read_metrics(snakemake.input.metrics), tests, labels)
    save(figure, snakemake.output.svg, snakemake.output.png)
