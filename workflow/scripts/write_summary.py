"""One light page of the whole study."""

import os
from datetime import UTC, datetime
from pathlib import Path

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.paper.findings import read_findings
    from learnability.storage.contracts import read_csv, read_json, read_metrics, write_text
    from learnability.summary.page import Material, render_summary
    from learnability.tables.labels import labels_of

    params, cards = snakemake.params, [read_json(path) for path in snakemake.input.cards]
    labels, n_splits = labels_of(params.labels, cards), read_json(snakemake.input.study)["n_splits"]
    findings = read_findings(snakemake.input.results, cards, labels, params.margin, n_splits, params.names)
    material = Material(
        config=params.captions,
        config_digest=params.config_digest,
        differing=params.differing,
        metrics=read_metrics(snakemake.input.metrics),
        autoencoders=[read_json(path) for path in snakemake.input.autoencoders],
        claims=read_csv(snakemake.input.claims, keep_default_na=False),
        tables=[Path(path) for path in snakemake.input.tables],
        published=Path(snakemake.input.published),
        figures=[Path(path) for path in snakemake.input.figures],
        results=Path(snakemake.output[0]).parent,
        parameters={"reweighting": params.reweighting},
        not_shareable=params.not_shareable,
        searches=[read_json(path) for path in snakemake.input.searches],
        changed=params.changed,
        written=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        command=os.environ.get("LEARNABILITY_COMMAND", ""),
    )
    write_text(render_summary(findings, material), snakemake.output[0])
