"""The paper's side claims and our controls: recipes that differ in one thing, side by side."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.storage.contracts import read_json, read_metrics, write_csv, write_text
    from learnability.tables.caveats import devices_note
    from learnability.tables.labels import labels_of
    from learnability.tables.table4 import ablation_controls, render_ablation_controls

    labels = labels_of(snakemake.params.labels, [read_json(path) for path in snakemake.input.cards])
    metrics = read_metrics(snakemake.input.metrics)
    table = ablation_controls(metrics, snakemake.params.rows, snakemake.params.folds)
    write_csv(table, snakemake.output.csv)
    footnotes = [*snakemake.params.footnotes, *devices_note(metrics, labels.datasets)]
    text = render_ablation_controls(table, labels, footnotes, snakemake.params.with_sd)
    for extension in ("md", "html", "tex"):
        write_text(text[extension], snakemake.output[extension])
