"""The gap of every autoencoder and dataset, with folds and interval."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.figures.gaps import draw_gaps
    from learnability.figures.style import save
    from learnability.storage.contracts import read_csv, read_json, read_metrics
    from learnability.tables.labels import labels_of

    labels = labels_of(snakemake.params.labels, [read_json(path) for path in snakemake.input.cards])
    over_folds, over_groups = (read_csv(path, keep_default_na=False) for path in snakemake.input.tests)
    figure = draw_gaps(read_metrics(snakemake.input.metrics), over_folds, over_groups, labels)
    save(figure, snakemake.output.svg, snakemake.output.png)
