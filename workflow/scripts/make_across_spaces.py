"""Classifiers of images tested on reconstructions and the reverse, beside each on its own space."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    import pandas as pd

    from learnability.storage.contracts import read_csv, read_json, read_metrics, write_csv, write_text
    from learnability.tables.across import across_spaces, render_across_spaces
    from learnability.tables.caveats import devices_note
    from learnability.tables.labels import labels_of

    labels = labels_of(snakemake.params.labels, [read_json(path) for path in snakemake.input.cards])
    metrics = read_metrics(snakemake.input.metrics)
    scores = pd.concat([read_csv(path) for path in snakemake.input.scores], ignore_index=True)
    table = across_spaces(metrics, scores, snakemake.params.folds)
    write_csv(table, snakemake.output.csv)
    footnotes = [*snakemake.params.footnotes, *devices_note(metrics, labels.datasets)]
    text = render_across_spaces(table, labels, footnotes)
    for extension in ("md", "html", "tex"):
        write_text(text[extension], snakemake.output[extension])
