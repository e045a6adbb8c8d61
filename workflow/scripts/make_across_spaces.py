"""Classifiers of images tested on reconstructions and the reverse, beside each on its own space."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    import pandas as pd

    from learnability.storage.contracts import read_csv, read_json, read_metrics
    from learnability.tables.across import across_spaces, render_across_spaces
    from learnability.tables.caveats import devices_note
    from learnability.tables.formats import write_table
    from learnability.tables.labels import labels_of

    labels = labels_of(snakemake.params.labels, map(read_json, snakemake.input.cards))
    metrics = read_metrics(snakemake.input.metrics)
    scores = pd.concat([read_csv(path) for path in snakemake.input.scores], ignore_index=True)
    table = across_spaces(metrics, scores, snakemake.params.folds)
    footnotes = [*snakemake.params.footnotes, *devices_note(metrics, labels.datasets)]
    write_table(table, render_across_spaces(table, labels, footnotes), snakemake.output)
