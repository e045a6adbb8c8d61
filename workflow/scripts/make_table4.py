"""Table 4: what distillation, search and noise conditioning gain over a plain latent classifier."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.storage.contracts import read_csv, read_json, read_metrics, write_csv, write_text
    from learnability.tables.caveats import devices_note
    from learnability.tables.labels import labels_of
    from learnability.tables.table4 import render_table4, table4

    params = snakemake.params
    labels = labels_of(params.labels, [read_json(path) for path in snakemake.input.cards])
    metrics = read_metrics(snakemake.input.metrics)
    table = table4(metrics, params.rows, params.folds)
    write_csv(table, snakemake.output.csv)
    tests = read_csv(snakemake.input.tests, keep_default_na=False)
    footnotes = [*params.footnotes, *devices_note(metrics, labels.datasets)]
    text = render_table4(table, labels, tests, params.searched, footnotes, params.with_sd)
    for extension in ("md", "html", "tex"):
        write_text(text[extension], snakemake.output[extension])
