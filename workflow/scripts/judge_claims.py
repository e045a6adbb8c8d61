"""The claims of the paper, each with the verdict that tables and tests give."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.paper.claims import judge_claims
    from learnability.paper.findings import read_findings
    from learnability.paper.layouts import render_claims
    from learnability.storage.contracts import read_json
    from learnability.tables.formats import write_table
    from learnability.tables.labels import data_notes, labels_of

    params, cards = snakemake.params, [read_json(path) for path in snakemake.input.cards]
    labels = labels_of(params.labels, cards)
    n_splits = read_json(snakemake.input.study)["n_splits"]
    findings = read_findings(snakemake.input.results, cards, labels, params.margin, n_splits, params.names)
    claims = judge_claims(findings)
    write_table(claims, render_claims(claims, data_notes(labels.leaking, labels)), snakemake.output)
