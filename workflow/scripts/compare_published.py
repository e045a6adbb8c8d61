"""Every known number of the paper beside the measured one."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.paper.findings import read_findings
    from learnability.paper.layouts import render_published
    from learnability.paper.published_numbers import compare_published
    from learnability.storage.contracts import read_json
    from learnability.tables.formats import write_table
    from learnability.tables.labels import labels_of

    params, cards = snakemake.params, [read_json(path) for path in snakemake.input.cards]
    labels = labels_of(params.labels, cards)
    n_splits = read_json(snakemake.input.study)["n_splits"]
    findings = read_findings(snakemake.input.results, cards, labels, params.margin, n_splits, params.names)
    numbers = compare_published(findings)
    write_table(numbers, render_published(numbers, findings), snakemake.output)
