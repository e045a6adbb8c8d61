"""The gap with each remedy."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.figures.remedies import draw_remedies
    from learnability.figures.style import save
    from learnability.storage.contracts import read_csv, read_json
    from learnability.tables.labels import labels_of

    labels = labels_of(snakemake.params.labels, [read_json(path) for path in snakemake.input.cards])
    tests = read_csv(snakemake.input.tests, keep_default_na=False)
    save(draw_remedies(tests, labels), snakemake.output.svg, snakemake.output.png)
