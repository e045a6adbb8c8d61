"""The controls as a page, and in sentences for the first lines of Snakemake's report."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.paper.findings import read_numbers
    from learnability.storage.contracts import read_csv, read_json, write_text
    from learnability.summary.controls import as_rst, controls_in_words
    from learnability.tables.controls import render_controls
    from learnability.tables.labels import datasets_of, labels_of

    labels = labels_of(snakemake.params.labels, map(read_json, snakemake.input.cards))
    controls = read_csv(snakemake.input.controls, keep_default_na=False, dtype=str)
    write_text(render_controls(controls, labels), snakemake.output.page)
    numbers, datasets = read_numbers(snakemake.input.controls), datasets_of(controls, labels)
    said = controls_in_words(numbers, datasets.__getitem__, labels.autoencoders)
    write_text(as_rst(said), snakemake.output.words)
