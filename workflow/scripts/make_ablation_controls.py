"""The paper's side claims and our controls: recipes that differ in one thing, side by side."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.storage.contracts import read_json, read_metrics
    from learnability.tables.caveats import devices_note
    from learnability.tables.formats import write_table
    from learnability.tables.labels import labels_of
    from learnability.tables.table4 import ablation_controls, render_ablation_controls

    labels = labels_of(snakemake.params.labels, map(read_json, snakemake.input.cards))
    metrics = read_metrics(snakemake.input.metrics)
    table = ablation_controls(metrics, snakemake.params.rows, snakemake.params.folds)
    footnotes = [*snakemake.params.footnotes, *devices_note(metrics, labels.datasets)]
    write_table(table, render_ablation_controls(table, labels, footnotes, snakemake.params.with_sd), snakemake.output)
