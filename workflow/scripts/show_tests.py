"""Every file of tests as a page that can be read."""

from pathlib import Path

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.storage.contracts import read_csv, read_json, write_text
    from learnability.tables.labels import labels_of
    from learnability.tables.tests import render_tests

    labels = labels_of(snakemake.params.labels, map(read_json, snakemake.input.cards))
    for source, page in zip(snakemake.input.tests, snakemake.output, strict=True):
        tests = read_csv(source, keep_default_na=False, dtype=str)
        write_text(render_tests(Path(source).stem, tests, labels), page)
